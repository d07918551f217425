using System.Data;

namespace Interop.Cases
{
    public static class Naming
    {
        static DataSet Columns(params string[] names)
        {
            var set = new DataSet();
            DataTable table = set.Tables.Add("Table");
            foreach (string name in names) table.Columns.Add(name, typeof(int));
            DataRow row = table.NewRow();
            for (int i = 0; i < names.Length; i++) row[i] = i;
            table.Rows.Add(row);
            return set;
        }

        public static DataSet EncodedColumns()
        {
            return Columns("Parcels In 1", "1st", "a:b", "#", "100%", "-dash", ".dot", "a.b", "a-b", "[x]", "q'\"<&>",
                "tab\there", "(", "a/b\\c");
        }

        public static DataSet LiteralEscapes()
        {
            return Columns("_x0041_", "_x", "_xZZZZ_", "_x0041", "x0041_", "_X0041_", "__x0041_", "_x00000041_",
                "_x0041__x0042_");
        }

        public static DataSet OtherScripts()
        {
            return Columns("na\u00efve", "\u5217\u540d", "\u041a\u043e\u043b", "\ud83d\ude00", "a\u0301", "\u00b5",
                "\u2167", "\u20ac");
        }

        public static DataSet DifferOnlyByCase() { return Columns("Count", "count", "COUNT"); }

        public static DataSet XmlWords()
        {
            return Columns("xml", "xmlns", "xsi", "id", "rowOrder", "hasChanges", "nil", "lang", "space");
        }

        public static DataSet XmlWordsAsAttributes()
        {
            DataSet set = Columns("id", "rowOrder", "hasChanges", "nil", "lang", "hiddenX");
            foreach (DataColumn column in set.Tables[0].Columns) column.ColumnMapping = MappingType.Attribute;
            return set;
        }

        public static DataSet DiffGramWordsAsColumns()
        {
            return Columns("diffgram", "before", "errors", "schema", "Table", "NewDataSet");
        }

        public static DataSet VeryLong() { return Columns(new string('n', 2000)); }

        public static DataSet DiffGramWordsAsTables()
        {
            var set = new DataSet();
            foreach (string name in new[] { "schema", "diffgram", "before", "errors", "DataSet", "annotation", "Error" })
                Make.Table(set, name, "A Int32, B String", Make.Row(set.Tables.Count, name));
            return set;
        }

        public static DataSet EncodedTableAndDataSet()
        {
            var set = new DataSet("My Data Set (1)");
            Make.Table(set, "Instant Stats #1", "Parcels Int32", Make.Row(1), Make.Row(2));
            Make.Table(set, "2nd", "Parcels Int32", Make.Row(3));
            return set;
        }

        public static DataSet TableCalledAsTheDataSet()
        {
            var set = new DataSet("Stats");
            Make.Table(set, "Stats", "A Int32", Make.Row(1), Make.Row(2));
            return set;
        }

        public static DataSet TableCalledAsTheDataSetAmongOthers()
        {
            var set = new DataSet("Stats");
            Make.Table(set, "Other", "A Int32", Make.Row(1));
            Make.Table(set, "Stats", "A Int32", Make.Row(2));
            return set;
        }

        public static DataSet ColumnCalledAsItsTable()
        {
            var set = new DataSet();
            Make.Table(set, "Count", "Count Int32, Other String", Make.Row(1, "x"), Make.Row(2, null));
            return set;
        }

        public static DataSet TablesDifferOnlyByCase()
        {
            var set = new DataSet();
            Make.Table(set, "Stats", "A Int32", Make.Row(1));
            Make.Table(set, "STATS", "A String", Make.Row("x"));
            return set;
        }

        public static DataSet DataSetCalledSchema()
        {
            var set = new DataSet("schema");
            Make.Table(set, "Table", "A Int32", Make.Row(1));
            return set;
        }
    }
}
