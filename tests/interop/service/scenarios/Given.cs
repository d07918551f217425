using System;
using System.Data;

namespace Interop.Cases
{
    /// <summary>The data of the recorded answers, built again to see that stack and dump are the same.</summary>
    public static class Given
    {
        static readonly string[] Half = { "ParcelsIn", "ParcelsOut", "InterchangesIn", "InterchangesOut" };

        static DataSet Stats()
        {
            DataSet set = Make.Set("");
            foreach (string window in new[] { "1", "2" })
                foreach (string name in Half) set.Tables[0].Columns.Add(name + window, typeof(int));
            return set;
        }

        public static DataSet Documented()
        {
            DataSet set = Stats();
            set.Tables[0].Rows.Add(104, 100, 129, 65, 417, 401, 517, 261);
            return set;
        }

        public static DataSet ZeroRows() { return Stats(); }

        public static DataSet DirectionRows()
        {
            return Make.Set("Direction String, Minutes Int16, Parcels Int32, Interchanges Int32",
                Make.Row("In", (short)15, 4, 12), Make.Row("Out", (short)15, 2, 8),
                Make.Row("In", (short)60, 18, 47), Make.Row("Out", (short)60, 9, 31));
        }

        public static DataSet TypesBasic()
        {
            return Make.Set("Flag Boolean, Count Int32, Name String, Ratio Double, Price Decimal, When DateTime",
                Make.Row(true, 1, "one", 0.1, 1.10m, new DateTime(2024, 1, 15, 8, 30, 0)),
                Make.Row(false, -2, "two", -1e300, -2.5m, new DateTime(2024, 7, 15, 20, 45, 59, 123)),
                Make.Row(true, 0, "", 0.0, 0m, new DateTime(1999, 12, 31)));
        }

        public static DataSet RowStates()
        {
            DataSet set = Make.Set("ID Int32, Name String, Count Int32", Make.Row(1, "unchanged", 10),
                Make.Row(2, "to modify", 20), Make.Row(3, "to delete", 30), Make.Row(4, "modify to null", 40),
                Make.Row(5, "modify twice", 50), Make.Row(6, null, 60));
            set.AcceptChanges();
            DataRowCollection rows = set.Tables[0].Rows;
            rows[1]["Name"] = "modified";
            rows[1]["Count"] = 21;
            rows[2].Delete();
            rows[3]["Count"] = DBNull.Value;
            rows[4]["Count"] = 51;
            rows[4]["Count"] = 52;
            rows[5]["Name"] = "was null";
            rows.Add(7, "inserted", 70);
            return set;
        }
    }
}
