using System.Data;

namespace Interop.Cases
{
    /// <summary>Rows that were changed after the table was filled, and rows with errors.</summary>
    public static class States
    {
        static DataSet Filled()
        {
            DataSet set = Make.Set("ID Int32, Name String, Count Int32", Make.Row(1, "one", 10), Make.Row(2, "two", 20),
                Make.Row(3, "three", 30), Make.Row(4, "four", null));
            set.AcceptChanges();
            return set;
        }

        public static DataSet Unchanged() { return Filled(); }

        public static DataSet OneOfEach()
        {
            DataSet set = Filled();
            DataRowCollection rows = set.Tables[0].Rows;
            rows[1]["Count"] = 21;
            rows[2].Delete();
            rows.Add(5, "five", 50);
            return set;
        }

        public static DataSet AllDeleted()
        {
            DataSet set = Filled();
            foreach (DataRow row in set.Tables[0].Rows) row.Delete();
            return set;
        }

        public static DataSet FirstDeleted()
        {
            DataSet set = Filled();
            set.Tables[0].Rows[0].Delete();
            return set;
        }

        public static DataSet ToNullAndFromNull()
        {
            DataSet set = Filled();
            set.Tables[0].Rows[0]["Count"] = System.DBNull.Value;
            set.Tables[0].Rows[3]["Count"] = 40;
            return set;
        }

        public static DataSet ModifiedWithoutChange()
        {
            DataSet set = Filled();
            set.Tables[0].Rows[1].SetModified();
            return set;
        }

        public static DataSet InsertedBetween()
        {
            DataSet set = Filled();
            DataRow row = set.Tables[0].NewRow();
            row["ID"] = 9;
            set.Tables[0].Rows.InsertAt(row, 1);
            return set;
        }

        public static DataSet Errors()
        {
            DataSet set = Filled();
            set.Tables[0].Rows[0].RowError = "row is wrong";
            set.Tables[0].Rows[1].SetColumnError("Count", "count <is> wrong");
            return set;
        }

        public static DataSet ErrorsOnChangedRows()
        {
            DataSet set = OneOfEach();
            set.Tables[0].Rows[1].RowError = "changed and wrong";
            set.Tables[0].Rows[4].RowError = "new and wrong";
            set.Tables[0].Rows[4].SetColumnError("Name", "name is wrong");
            return set;
        }

        public static DataSet ChangedAttributes()
        {
            DataSet set = Filled();
            foreach (DataColumn column in set.Tables[0].Columns) column.ColumnMapping = MappingType.Attribute;
            set.Tables[0].Rows[1]["Name"] = "changed";
            set.Tables[0].Rows[2].Delete();
            return set;
        }

        public static DataSet ChangedHidden()
        {
            DataSet set = Filled();
            set.Tables[0].Columns["Count"].ColumnMapping = MappingType.Hidden;
            set.Tables[0].Rows[1]["Count"] = 22;
            set.Tables[0].Rows[2].Delete();
            return set;
        }

        public static DataSet ChangedEncodedNames()
        {
            DataSet set = Filled();
            set.DataSetName = "data set";
            set.Tables[0].TableName = "the table";
            set.Tables[0].Columns["Count"].ColumnName = "the count";
            set.Tables[0].Rows[1]["the count"] = 22;
            set.Tables[0].Rows[2].Delete();
            return set;
        }
    }
}
