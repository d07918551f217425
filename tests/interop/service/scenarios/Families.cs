using System.Data;

namespace Interop.Cases
{
    /// <summary>Tables in tables, with everything else that a schema may say.</summary>
    public static class Families
    {
        static DataSet Family(string parentSpace = "", string childSpace = "", string name = "Child")
        {
            var set = new DataSet("House");
            DataTable parent = Make.Table(set, "Parent", "ID Int32, Name String", Make.Row(1, "one"), Make.Row(2,
                "two"), Make.Row(3, null));
            DataTable child = Make.Table(set, name, "ParentID Int32, Text String",
                Make.Row(2, "a"), Make.Row(1, "b"), Make.Row(2, ""), Make.Row(3, null));
            parent.Namespace = parentSpace;
            child.Namespace = childSpace;
            set.Relations.Add("Family", parent.Columns["ID"], child.Columns["ParentID"]).Nested = true;
            return set;
        }

        public static DataSet ChildInANamespace() { return Family("", "urn:example:child"); }
        public static DataSet ParentInANamespace() { return Family("urn:example:parent", ""); }
        public static DataSet EachInItsNamespace() { return Family("urn:example:parent", "urn:example:child"); }

        public static DataSet EachInItsNamespaceWithPrefixes()
        {
            DataSet set = EachInItsNamespace();
            set.Namespace = "urn:example:house";
            set.Prefix = "h";
            set.Tables["Parent"].Prefix = "p";
            set.Tables["Child"].Prefix = "c";
            return set;
        }

        public static DataSet ChangedAcrossNamespaces()
        {
            DataSet set = EachInItsNamespaceWithPrefixes();
            set.AcceptChanges();
            set.Tables["Child"].Rows[0]["Text"] = "changed";
            set.Tables["Child"].Rows[1].Delete();
            set.Tables["Parent"].Rows[2]["Name"] = "three";
            set.Tables["Parent"].Rows[2].RowError = "wrong";
            set.Tables["Child"].Rows[2].SetColumnError("Text", "wrong too");
            return set;
        }

        public static DataSet SameNameInTwoNamespaces()
        {
            var set = new DataSet();
            DataTable parent = set.Tables.Add("Node", "urn:example:parent");
            DataTable child = set.Tables.Add("Node", "urn:example:child");
            parent.Columns.Add("ID", typeof(int));
            child.Columns.Add("ParentID", typeof(int));
            parent.Rows.Add(1);
            parent.Rows.Add(2);
            child.Rows.Add(2);
            child.Rows.Add(1);
            set.Relations.Add("Family", parent.Columns[0], child.Columns[0]).Nested = true;
            return set;
        }

        public static DataSet SameNameInTwoNamespacesFlat()
        {
            DataSet set = SameNameInTwoNamespaces();
            set.Relations[0].Nested = false;
            set.AcceptChanges();
            set.Tables[0].Rows[0].RowError = "first";
            set.Tables[1].Rows[0].RowError = "second";
            return set;
        }

        public static DataSet ErrorsOnNestedRows()
        {
            DataSet set = Family();
            set.AcceptChanges();
            set.Tables["Child"].Rows[2].RowError = "nested and wrong";
            set.Tables["Child"].Rows[0].SetColumnError("Text", "column");
            set.Tables["Parent"].Rows[0].SetColumnError("Name", "parent");
            return set;
        }

        public static DataSet DeletedWithChildren()
        {
            DataSet set = Family();
            set.AcceptChanges();
            set.Tables["Parent"].Rows[1].Delete();
            set.Tables["Parent"].Rows.Add(9, "new");
            set.Tables["Child"].Rows.Add(9, "newer");
            return set;
        }

        public static DataSet MovedToAnotherParent()
        {
            DataSet set = Family();
            set.AcceptChanges();
            set.Tables["Child"].Rows[0]["ParentID"] = 1;
            set.Tables["Child"].Rows[3]["ParentID"] = System.DBNull.Value;
            return set;
        }

        public static DataSet KeysRenumbered()
        {
            DataSet set = Family();
            set.AcceptChanges();
            set.Tables["Parent"].Rows[0]["ID"] = 100;
            return set;
        }

        public static DataSet FourDeep()
        {
            var set = new DataSet();
            DataTable last = null;
            foreach (string name in new[] { "A", "B", "C", "D" })
            {
                DataTable table = Make.Table(set, name, "ID Int32, Up Int32, Note String", Make.Row(2, 1, name),
                    Make.Row(1, 2, null), Make.Row(3, 1, ""));
                if (last != null) set.Relations.Add("To" + name, last.Columns["ID"],
                    table.Columns["Up"]).Nested = true;
                last = table;
            }
            return set;
        }

        public static DataSet ChildCalledAsTheDataSet() { return Family("", "", "House"); }
        public static DataSet ChildCalledSchema() { return Family("", "", "schema"); }
        public static DataSet ChildCalledBefore() { return Family("", "", "before"); }
        public static DataSet ChildWithEncodedName() { return Family("", "", "the children (2)"); }

        public static DataSet ChildWithSimpleContent()
        {
            DataSet set = Family();
            set.Tables["Child"].Columns["ParentID"].ColumnMapping = MappingType.Hidden;
            set.Tables["Child"].Columns["Text"].ColumnMapping = MappingType.SimpleContent;
            return set;
        }

        public static DataSet ChildOfOneAttribute()
        {
            DataSet set = Family();
            set.Tables["Child"].Columns["ParentID"].ColumnMapping = MappingType.Hidden;
            set.Tables["Child"].Columns["Text"].ColumnMapping = MappingType.Attribute;
            return set;
        }

        public static DataSet ParentWithoutOtherColumns()
        {
            DataSet set = Family();
            set.Tables["Parent"].Columns.Remove("Name");
            set.Tables["Parent"].Columns["ID"].ColumnMapping = MappingType.Hidden;
            return set;
        }

        public static DataSet WithoutConstraints()
        {
            var set = new DataSet();
            DataTable parent = Make.Table(set, "Parent", "My(ID) Int32, A_B String", Make.Row(1, "x"), Make.Row(1,
                "x"));
            DataTable child = Make.Table(set, "Child", "Up+ID Int32, C String", Make.Row(1, "x"), Make.Row(7, "x"));
            set.Relations.Add("Loose one", new[] { parent.Columns[0], parent.Columns[1] }, new[] { child.Columns[0],
                child.Columns[1] }, false);
            return set;
        }

        public static DataSet WithoutConstraintsInNamespaces()
        {
            var set = new DataSet { Namespace = "urn:example:house" };
            DataTable parent = Make.Table(set, "Parent", "ID Int32", Make.Row(1), Make.Row(1));
            DataTable child = Make.Table(set, "Child", "Up Int32", Make.Row(1), Make.Row(7));
            parent.Namespace = "urn:example:parent";
            child.Namespace = "urn:example:child";
            set.Relations.Add("Loose", parent.Columns[0], child.Columns[0], false);
            return set;
        }

        public static DataSet TwoRelationsBetweenTheSame()
        {
            var set = new DataSet();
            DataTable place = Make.Table(set, "Place", "ID Int32, Name String", Make.Row(1, "a"), Make.Row(2, "b"));
            DataTable trip = Make.Table(set, "Trip", "From Int32, To Int32", Make.Row(1, 2), Make.Row(2, 1),
                Make.Row(1, null));
            place.PrimaryKey = new[] { place.Columns["ID"] };
            set.Relations.Add("Starts", place.Columns["ID"], trip.Columns["From"]);
            set.Relations.Add("Ends", place.Columns["ID"], trip.Columns["To"]);
            return set;
        }

        public static DataSet Ring()
        {
            var set = new DataSet { EnforceConstraints = false };
            DataTable a = Make.Table(set, "A", "ID Int32, B Int32", Make.Row(1, 2));
            DataTable b = Make.Table(set, "B", "ID Int32, A Int32", Make.Row(2, 1));
            a.PrimaryKey = new[] { a.Columns["ID"] };
            b.PrimaryKey = new[] { b.Columns["ID"] };
            set.Relations.Add("AB", a.Columns["ID"], b.Columns["A"]);
            set.Relations.Add("BA", b.Columns["ID"], a.Columns["B"]);
            return set;
        }

        public static DataSet ExtendedPropertiesEverywhere()
        {
            DataSet set = Family();
            set.Relations[0].ExtendedProperties["of relation"] = "r";
            set.Relations[0].ChildKeyConstraint.ExtendedProperties["fk"] = "f";
            set.Relations[0].ParentKeyConstraint.ExtendedProperties["unique"] = "u";
            set.Tables["Parent"].ExtendedProperties["t"] = "<t>";
            set.Tables["Child"].Columns[0].ExtendedProperties["c d"] = "\"c\"";
            return set;
        }

        public static DataSet RulesOfEveryKind()
        {
            var set = new DataSet();
            DataTable parent = Make.Table(set, "Parent", "ID Int32", Make.Row(1));
            foreach (Rule rule in new[] { Rule.None, Rule.Cascade, Rule.SetNull, Rule.SetDefault })
            {
                DataTable child = Make.Table(set, "Child" + rule, "Up Int32", Make.Row(1));
                set.Relations.Add("R" + rule, parent.Columns[0], child.Columns[0]);
                ForeignKeyConstraint key = set.Relations["R" + rule].ChildKeyConstraint;
                key.DeleteRule = rule;
                key.UpdateRule = rule == Rule.None ? Rule.SetNull : rule;
                key.AcceptRejectRule = rule == Rule.Cascade ? AcceptRejectRule.Cascade : AcceptRejectRule.None;
            }
            return set;
        }

        public static DataSet KeyInAnotherNamespace()
        {
            DataSet set = Make.Set("A Int32, B Int32", Make.Row(1, 2));
            set.Namespace = "urn:example:set";
            set.Tables[0].Namespace = "urn:example:table";
            set.Tables[0].Columns["A"].Namespace = "urn:example:column";
            set.Tables[0].PrimaryKey = new[] { set.Tables[0].Columns["A"], set.Tables[0].Columns["B"] };
            return set;
        }

        public static DataSet AggregatesOfChildren()
        {
            DataSet set = Family();
            set.Tables["Child"].Columns.Add("N", typeof(int));
            for (int i = 0; i < 4; i++) set.Tables["Child"].Rows[i]["N"] = i * 10;
            set.Tables["Parent"].Columns.Add("Sum", typeof(long), "Sum(Child(Family).N)");
            set.Tables["Parent"].Columns.Add("Count", typeof(int), "Count(Child(Family).N)");
            set.Tables["Child"].Columns.Add("ParentName", typeof(string), "Parent(Family).Name");
            return set;
        }
    }
}
