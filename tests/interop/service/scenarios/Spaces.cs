using System.Data;

namespace Interop.Cases
{
    public static class Spaces
    {
        public static DataSet OfTheDataSet()
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"), Make.Row(null, null));
            set.Namespace = "urn:example:set";
            return set;
        }

        public static DataSet OfTheDataSetWithPrefix()
        {
            DataSet set = OfTheDataSet();
            set.Prefix = "s";
            return set;
        }

        public static DataSet OfTheService()
        {
            DataSet set = Make.Set("A Int32", Make.Row(1));
            set.Namespace = "https://os.ecgrid.io/";
            return set;
        }

        public static DataSet OfATable()
        {
            DataSet set = Make.Set("A Int32", Make.Row(1), Make.Row(2));
            set.Tables[0].Namespace = "urn:example:table";
            return set;
        }

        public static DataSet OfATableWithPrefix()
        {
            DataSet set = OfATable();
            set.Tables[0].Prefix = "t";
            return set;
        }

        public static DataSet OfSomeTables()
        {
            var set = new DataSet();
            Make.Table(set, "Plain", "A Int32", Make.Row(1));
            Make.Table(set, "First", "A Int32", Make.Row(2)).Namespace = "urn:example:one";
            Make.Table(set, "Second", "A Int32", Make.Row(3)).Namespace = "urn:example:two";
            return set;
        }

        public static DataSet SameTableNameTwice()
        {
            var set = new DataSet();
            foreach (string space in new[] { "urn:example:one", "urn:example:two" })
            {
                DataTable table = set.Tables.Add("Stats", space);
                table.Columns.Add("A", typeof(int));
                table.Rows.Add(set.Tables.Count);
            }
            return set;
        }

        public static DataSet OfAColumn()
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"));
            set.Tables[0].Columns["B"].Namespace = "urn:example:column";
            return set;
        }

        public static DataSet OfColumnsWithPrefixes()
        {
            DataSet set = Make.Set("A Int32, B String, C Double", Make.Row(1, "x", 0.5), Make.Row(2, null, null));
            set.Tables[0].Columns["A"].Namespace = "urn:example:one";
            set.Tables[0].Columns["A"].Prefix = "p";
            set.Tables[0].Columns["B"].Namespace = "urn:example:two";
            set.Tables[0].Columns["B"].Prefix = "q";
            return set;
        }

        public static DataSet AttributesInside()
        {
            DataSet set = OfTheDataSet();
            set.Tables[0].Columns["A"].ColumnMapping = MappingType.Attribute;
            return set;
        }

        public static DataSet OfAnAttribute()
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"), Make.Row(null, "y"));
            set.Tables[0].Columns["A"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns["A"].Namespace = "urn:example:attribute";
            return set;
        }

        public static DataSet RelationAcross()
        {
            var set = new DataSet();
            DataTable parent = Make.Table(set, "Parent", "ID Int32", Make.Row(1), Make.Row(2));
            DataTable child = Make.Table(set, "Child", "ParentID Int32, B String", Make.Row(1, "x"), Make.Row(2, "y"));
            child.Namespace = "urn:example:child";
            set.Relations.Add("Across", parent.Columns["ID"], child.Columns["ParentID"]);
            return set;
        }

        public static DataSet ChangedRowsInside()
        {
            DataSet set = OfTheDataSet();
            set.AcceptChanges();
            set.Tables[0].Rows[0]["B"] = "changed";
            set.Tables[0].Rows[1].Delete();
            return set;
        }
    }
}
