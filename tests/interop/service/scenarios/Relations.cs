using System.Data;

namespace Interop.Cases
{
    public static class Relations
    {
        static DataSet Family(bool nested)
        {
            var set = new DataSet();
            DataTable parent = Make.Table(set, "Parent", "ID Int32, Name String",
                Make.Row(1, "one"), Make.Row(2, "two"), Make.Row(3, "three"));
            DataTable child = Make.Table(set, "Child", "ParentID Int32, Text String",
                Make.Row(2, "a"), Make.Row(1, "b"), Make.Row(2, "c"), Make.Row(3, "d"), Make.Row(1, "e"));
            set.Relations.Add("Family", parent.Columns["ID"], child.Columns["ParentID"]).Nested = nested;
            return set;
        }

        public static DataSet Flat() { return Family(false); }
        public static DataSet Nested() { return Family(true); }

        public static DataSet NestedWithOrphans()
        {
            DataSet set = Family(true);
            set.Tables["Child"].Rows.Add(System.DBNull.Value, "orphan");
            set.Tables["Child"].Rows.Add(1, "late");
            return set;
        }

        public static DataSet NestedOnlyOrphans()
        {
            DataSet set = Family(true);
            set.EnforceConstraints = false;
            set.Tables["Parent"].Clear();
            return set;
        }

        public static DataSet NestedDeep()
        {
            DataSet set = Family(true);
            set.Tables["Child"].Columns.Add("ID", typeof(int));
            for (int i = 0; i < 5; i++) set.Tables["Child"].Rows[i]["ID"] = i;
            DataTable toy = Make.Table(set, "Toy", "ChildID Int32, Toy String",
                Make.Row(4, "car"), Make.Row(0, "doll"), Make.Row(4, "ball"));
            toy.Columns["Toy"].ColumnName = "What";
            set.Relations.Add("Toys", set.Tables["Child"].Columns["ID"], toy.Columns["ChildID"]).Nested = true;
            return set;
        }

        public static DataSet NestedWithAttributeKeys()
        {
            DataSet set = Family(true);
            set.Tables["Parent"].Columns["ID"].ColumnMapping = MappingType.Attribute;
            set.Tables["Child"].Columns["ParentID"].ColumnMapping = MappingType.Attribute;
            return set;
        }

        public static DataSet NestedWithHiddenKeys()
        {
            DataSet set = Family(true);
            set.Tables["Parent"].Columns["ID"].ColumnMapping = MappingType.Hidden;
            set.Tables["Child"].Columns["ParentID"].ColumnMapping = MappingType.Hidden;
            return set;
        }

        public static DataSet NestedWithChanges()
        {
            DataSet set = Family(true);
            set.AcceptChanges();
            set.Tables["Child"].Rows[0]["Text"] = "changed";
            set.Tables["Child"].Rows[3].Delete();
            set.Tables["Child"].Rows.Add(3, "new");
            return set;
        }

        public static DataSet NestedParentDeleted()
        {
            DataSet set = Family(true);
            set.AcceptChanges();
            set.Tables["Parent"].Rows[1].Delete();
            return set;
        }

        public static DataSet NestedInANamespace()
        {
            DataSet set = Family(true);
            set.Namespace = "urn:example:set";
            return set;
        }

        public static DataSet NestedChildrenOfTwoKinds()
        {
            DataSet set = Family(true);
            DataTable pet = Make.Table(set, "Pet", "OwnerID Int32, Kind String", Make.Row(3, "cat"), Make.Row(1, "dog"));
            set.Relations.Add("Pets", set.Tables["Parent"].Columns["ID"], pet.Columns["OwnerID"]).Nested = true;
            return set;
        }

        public static DataSet NestedInItself()
        {
            DataSet set = Make.Set("ID Int32, Boss Int32", Make.Row(1, null), Make.Row(2, 1), Make.Row(3, 2), Make.Row(4, 1));
            set.Relations.Add("Staff", set.Tables[0].Columns["ID"], set.Tables[0].Columns["Boss"]).Nested = true;
            return set;
        }

        public static DataSet ToItself()
        {
            DataSet set = Make.Set("ID Int32, Boss Int32", Make.Row(1, null), Make.Row(2, 1), Make.Row(3, 2));
            set.Relations.Add("Staff", set.Tables[0].Columns["ID"], set.Tables[0].Columns["Boss"]);
            return set;
        }

        public static DataSet WithoutConstraints()
        {
            var set = new DataSet();
            DataTable parent = Make.Table(set, "Parent", "ID Int32", Make.Row(1), Make.Row(1));
            DataTable child = Make.Table(set, "Child", "ParentID Int32", Make.Row(1), Make.Row(9));
            set.Relations.Add("Loose", parent.Columns["ID"], child.Columns["ParentID"], false);
            return set;
        }

        /// <summary>Four tables, each related to the first in turn; the mask says which relations are nested.</summary>
        static DataSet Several(int nested, int loose)
        {
            var set = new DataSet();
            DataTable parent = Make.Table(set, "Parent", "ID Int32", Make.Row(1), Make.Row(2));
            foreach (string name in new[] { "Alpha", "Beta", "Gamma" })
            {
                DataTable child = Make.Table(set, name, "ParentID Int32, Text String", Make.Row(2, name), Make.Row(1, name));
                int bit = 1 << (set.Tables.Count - 2);
                set.Relations.Add("To" + name, parent.Columns["ID"], child.Columns["ParentID"], (loose & bit) == 0)
                    .Nested = (nested & bit) != 0;
            }
            return set;
        }

        public static DataSet SeveralFlat() { return Several(0, 0); }
        public static DataSet SeveralNested() { return Several(7, 0); }
        public static DataSet SeveralMixed() { return Several(2, 0); }
        public static DataSet SeveralWithoutConstraints() { return Several(0, 7); }
        public static DataSet SeveralNestedWithoutConstraints() { return Several(7, 7); }
        public static DataSet SeveralOfEveryKind() { return Several(1, 2); }

        public static DataSet OfSeveralColumns()
        {
            var set = new DataSet();
            DataTable parent = Make.Table(set, "Parent", "A Int32, B String", Make.Row(1, "x"), Make.Row(1, "y"));
            DataTable child = Make.Table(set, "Child", "A Int32, B String, C Int32", Make.Row(1, "y", 5));
            set.Relations.Add("Both", new[] { parent.Columns["A"], parent.Columns["B"] },
                new[] { child.Columns["A"], child.Columns["B"] });
            return set;
        }

        public static DataSet WithEncodedNames()
        {
            DataSet set = Family(false);
            set.Relations[0].RelationName = "parents and children";
            set.Tables["Parent"].TableName = "The Parents";
            set.Tables["Child"].Columns["ParentID"].ColumnName = "parent id";
            return set;
        }

        public static DataSet WithRules()
        {
            var set = new DataSet();
            DataTable parent = Make.Table(set, "Parent", "ID Int32", Make.Row(1));
            DataTable child = Make.Table(set, "Child", "ParentID Int32", Make.Row(1));
            parent.PrimaryKey = new[] { parent.Columns["ID"] };
            child.Constraints.Add(new ForeignKeyConstraint("Rules", parent.Columns["ID"], child.Columns["ParentID"])
            {
                DeleteRule = Rule.SetNull, UpdateRule = Rule.None, AcceptRejectRule = AcceptRejectRule.Cascade,
            });
            return set;
        }
    }
}
