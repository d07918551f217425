using System;
using System.Data;
using System.Linq;

namespace Interop.Cases
{
    public static class Dates
    {
        static DataSet Mode(DataSetDateTime mode, params object[] values)
        {
            DataSet set = Make.Column(typeof(DateTime));
            set.Tables[0].Columns[0].DateTimeMode = mode;
            foreach (object value in values) set.Tables[0].Rows.Add(value);
            return set;
        }

        static object[] OneOfEachKind()
        {
            var wall = new DateTime(2024, 7, 15, 20, 45, 59);
            return new object[]
            {
                DateTime.SpecifyKind(wall, DateTimeKind.Unspecified), DateTime.SpecifyKind(wall, DateTimeKind.Utc),
                DateTime.SpecifyKind(wall, DateTimeKind.Local), DateTime.SpecifyKind(wall.AddMonths(6), DateTimeKind.Utc),
                null,
            };
        }

        public static DataSet UnspecifiedLocal() { return Mode(DataSetDateTime.UnspecifiedLocal, OneOfEachKind()); }
        public static DataSet Unspecified() { return Mode(DataSetDateTime.Unspecified, OneOfEachKind()); }
        public static DataSet Utc() { return Mode(DataSetDateTime.Utc, OneOfEachKind()); }
        public static DataSet Local() { return Mode(DataSetDateTime.Local, OneOfEachKind()); }

        public static DataSet AllModesTogether()
        {
            DataSet set = Make.Set("");
            foreach (DataSetDateTime mode in Enum.GetValues(typeof(DataSetDateTime)))
                set.Tables[0].Columns.Add(mode.ToString(), typeof(DateTime)).DateTimeMode = mode;
            var day = new DateTime(2024, 1, 15, 8, 30, 0);
            set.Tables[0].Rows.Add(day, day, day, day);
            return set;
        }

        public static DataSet FirstAndLastYear()
        {
            return Mode(DataSetDateTime.Unspecified, DateTime.MinValue, DateTime.MaxValue, new DateTime(9999, 1, 1));
        }

        public static DataSet FirstAndLastYearUtc()
        {
            return Mode(DataSetDateTime.Utc, DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc),
                DateTime.SpecifyKind(DateTime.MaxValue, DateTimeKind.Utc));
        }

        public static DataSet FirstAndLastYearDefaultMode()
        {
            return Mode(DataSetDateTime.UnspecifiedLocal, DateTime.MinValue, DateTime.MaxValue);
        }

        public static DataSet Fractions()
        {
            var day = new DateTime(2024, 1, 15, 8, 30, 0);
            long[] ticks = { 1, 10, 100, 1000, 10000, 100000, 1000000, 1234567, 9999999 };
            return Mode(DataSetDateTime.Unspecified, ticks.Select(t => (object)day.AddTicks(t)).ToArray());
        }

        public static DataSet FractionsDefaultMode()
        {
            var day = new DateTime(2024, 1, 15, 8, 30, 0);
            return Mode(DataSetDateTime.UnspecifiedLocal, day.AddTicks(1), day.AddTicks(1234560), day);
        }

        public static DataSet ClockChanges()
        {
            return Mode(DataSetDateTime.UnspecifiedLocal, new DateTime(2024, 3, 10, 1, 59, 59),
                new DateTime(2024, 3, 10, 2, 30, 0), new DateTime(2024, 3, 10, 3, 0, 0),
                new DateTime(2024, 11, 3, 0, 30, 0), new DateTime(2024, 11, 3, 1, 30, 0),
                new DateTime(2024, 11, 3, 2, 30, 0));
        }

        public static DataSet ClockChangesLocal()
        {
            return Mode(DataSetDateTime.Local, new DateTime(2024, 3, 10, 1, 59, 59, DateTimeKind.Local),
                new DateTime(2024, 11, 3, 0, 30, 0, DateTimeKind.Local),
                new DateTime(2024, 11, 3, 2, 30, 0, DateTimeKind.Local));
        }

        public static DataSet LongAgo()
        {
            return Mode(DataSetDateTime.UnspecifiedLocal, new DateTime(1753, 1, 1), new DateTime(1899, 12, 30),
                new DateTime(1918, 7, 4), new DateTime(1943, 7, 4), new DateTime(1974, 2, 1));
        }

        public static DataSet Midnights()
        {
            return Mode(DataSetDateTime.Unspecified, new DateTime(2024, 2, 29), new DateTime(2023, 12, 31, 23, 59, 59));
        }
    }
}
