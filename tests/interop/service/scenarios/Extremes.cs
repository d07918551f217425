using System;
using System.Data;
using System.Linq;
using System.Numerics;

namespace Interop.Cases
{
    /// <summary>Values at the ends of what their types hold, and odd ones in between.</summary>
    public static class Extremes
    {
        public static DataSet NegativeZeros()
        {
            return Make.Set("D Double, S Single, M Decimal, N Decimal",
                Make.Row(-0.0, -0.0f, -0.0m, new decimal(0, 0, 0, true, 28)));
        }

        public static DataSet SmallNumbers()
        {
            return Make.Set("D Double, S Single", Make.Row(double.Epsilon, float.Epsilon),
                Make.Row(2.2250738585072014E-308, 1.17549435E-38f),
                Make.Row(-double.Epsilon, -float.Epsilon), Make.Row(1e-320, 1e-44f), Make.Row(0.1 + 0.2, 0.1f + 0.2f),
                Make.Row(5e-5, 5e-5f), Make.Row(123456789012345680.0, 1.2345679E+16f), Make.Row(1e15, 1e7f),
                    Make.Row(1e14, 1e6f));
        }

        public static DataSet DecimalsOfEveryScale()
        {
            return Make.Column(typeof(decimal), Enumerable.Range(0, 29).Select(s => (object)new decimal(-1, -1, -1,
                s % 2 == 1, (byte)s)).ToArray());
        }

        public static DataSet DecimalTrailingZeros()
        {
            return Make.Column(typeof(decimal), 1m, 1.0m, 1.00m, 100m, 1.0000000000000000000000000000m, 0.10m, -0.10m,
                10000000000000000000000000000m);
        }

        public static DataSet DecimalsInTwoColumns()
        {
            DataSet set = Make.Set("Wide Decimal, Fine Decimal, Both Decimal");
            set.Tables[0].Rows.Add(decimal.MaxValue, 0.0000000000000000000000000001m, decimal.MinValue);
            set.Tables[0].Rows.Add(-1m, -0.9999999999999999999999999999m, -0.0000000000000000000000000001m);
            set.Tables[0].Rows.Add(null, null, null);
            return set;
        }

        public static DataSet BigIntegersOfEverySize()
        {
            return Make.Column(typeof(BigInteger), BigInteger.One, BigInteger.MinusOne, BigInteger.Pow(10, 37),
                BigInteger.Pow(10, 38),
                -BigInteger.Pow(10, 75), BigInteger.Parse(new string('9', 76)), null);
        }

        public static DataSet BigIntegersBeyondArrow()
        {
            return Make.Column(typeof(BigInteger), BigInteger.Pow(10, 76), -BigInteger.Pow(2, 1000), BigInteger.Zero,
                null);
        }

        public static DataSet TimeSpansOfEveryUnit()
        {
            return Make.Column(typeof(TimeSpan), TimeSpan.FromMilliseconds(1), TimeSpan.FromTicks(10),
                TimeSpan.FromSeconds(59), TimeSpan.FromMinutes(59),
                TimeSpan.FromHours(23), TimeSpan.FromDays(365), TimeSpan.FromDays(-1),
                    TimeSpan.FromTicks(TimeSpan.TicksPerDay - 1), TimeSpan.FromDays(36500));
        }

        public static DataSet TimeSpanLongAndFine()
        {
            return Make.Column(typeof(TimeSpan), TimeSpan.FromDays(200000), TimeSpan.FromTicks(1));
        }

        public static DataSet YearsOneAnd9999InEveryMode()
        {
            DataSet set = Make.Set("");
            foreach (DataSetDateTime mode in Enum.GetValues(typeof(DataSetDateTime)))
                set.Tables[0].Columns.Add(mode.ToString(), typeof(DateTime)).DateTimeMode = mode;
            foreach (DateTime day in new[] { new DateTime(1, 1, 2), new DateTime(9999, 12, 30, 23, 59,
                59).AddTicks(9999999), new DateTime(1582, 10, 10), new DateTime(1900, 2, 28) })
                set.Tables[0].Rows.Add(day, day, day, day);
            return set;
        }

        public static DataSet MomentsNearArrowsNanoseconds()
        {
            DataSet set = Make.Column(typeof(DateTime), new DateTime(2262, 4, 11, 23, 47, 16).AddTicks(8547758),
                new DateTime(1677, 9, 21, 0, 12, 44).AddTicks(1));
            set.Tables[0].Columns[0].DateTimeMode = DataSetDateTime.Unspecified;
            return set;
        }

        public static DataSet MomentsBeyondArrowsNanoseconds()
        {
            DataSet set = Make.Column(typeof(DateTime));
            set.Tables[0].Columns[0].DateTimeMode = DataSetDateTime.Utc;
            set.Tables[0].Rows.Add(new DateTime(2262, 4, 12).AddTicks(1));
            set.Tables[0].Rows.Add(new DateTime(2024, 1, 1));
            return set;
        }

        public static DataSet OffsetsOfEveryKind()
        {
            var day = new DateTime(2024, 7, 15, 23, 30, 0);
            return Make.Column(typeof(DateTimeOffset), new[] { -840, -719, -60, -1, 0, 1, 59, 345, 840 }
                .Select(m => (object)new DateTimeOffset(day.AddTicks(m), TimeSpan.FromMinutes(m))).ToArray());
        }

        public static DataSet OffsetsBeyondArrow()
        {
            return Make.Column(typeof(DateTimeOffset), new DateTimeOffset(new DateTime(9999, 12, 31).AddTicks(1),
                TimeSpan.FromHours(3)),
                new DateTimeOffset(new DateTime(1, 1, 2).AddTicks(7), TimeSpan.FromHours(-3)), null);
        }

        public static DataSet CharsOfEveryKind()
        {
            return Make.Column(typeof(char), '0', '>', '\'', '\u00ad', '\u200b', '\u2028', '\u0085', '\uffee',
                '\u3000', '\ufdd0', '_', '\u007f', ' ');
        }

        public static DataSet GuidsInAnyCase()
        {
            return Make.Column(typeof(Guid), new Guid("01234567-89AB-CDEF-0123-456789ABCDEF"),
                new Guid("{01234567-89ab-cdef-0123-456789abcdef}"));
        }

        public static DataSet UrisOfEveryKind()
        {
            return Make.Column(typeof(Uri), new Uri("http://example.invalid"),
                new Uri("HTTP://Example.invalid:80/A%20b/../c?x=1&y=<2>#f"),
                new Uri("http://example.invalid/\u00fc?\u5217"), new Uri("mailto:a@example.invalid"),
                    new Uri("file:///c:/x y"), new Uri("urn:a:b"), null);
        }

        public static DataSet BytesOfEveryLength()
        {
            return Make.Column(typeof(byte[]), Enumerable.Range(0, 70).Select(n => (object)Enumerable.Range(0,
                n).Select(i => (byte)(i * 37)).ToArray()).ToArray());
        }

        public static DataSet TypesAsValues()
        {
            return Make.Column(typeof(Type), typeof(int), typeof(string), null);
        }

        public static DataSet EnumColumn()
        {
            return Make.Column(typeof(DayOfWeek), DayOfWeek.Friday, DayOfWeek.Sunday, null);
        }

        public static DataSet EveryModeInAttributes() { return EveryMode(MappingType.Attribute); }
        public static DataSet EveryModeHidden() { return EveryMode(MappingType.Hidden); }

        static DataSet EveryMode(MappingType place)
        {
            DataSet set = Make.Set("");
            foreach (DataSetDateTime mode in Enum.GetValues(typeof(DataSetDateTime)))
            {
                DataColumn column = set.Tables[0].Columns.Add(mode.ToString(), typeof(DateTime));
                column.DateTimeMode = mode;
                column.ColumnMapping = place;
            }
            var day = new DateTime(2024, 7, 15, 8, 30, 0).AddTicks(1234567);
            set.Tables[0].Rows.Add(day, day, day, day);
            set.Tables[0].Rows.Add(null, null, null, null);
            return set;
        }

        public static DataSet DateInSimpleContent()
        {
            return InSimpleContent(typeof(DateTime), new DateTime(2024, 1, 15, 8, 30, 0));
        }

        public static DataSet DecimalInSimpleContent()
        {
            return InSimpleContent(typeof(decimal), decimal.MaxValue, 0.1m, null);
        }

        public static DataSet BytesInSimpleContent()
        {
            return InSimpleContent(typeof(byte[]), new byte[] { 1, 2 }, new byte[0], null);
        }

        public static DataSet BooleanInSimpleContent() { return InSimpleContent(typeof(bool), true, null, false); }
        public static DataSet GuidInSimpleContent() { return InSimpleContent(typeof(Guid), Guid.Empty, null); }
        public static DataSet TimeSpanInSimpleContent()
        {
            return InSimpleContent(typeof(TimeSpan), TimeSpan.FromTicks(-1), null);
        }

        public static DataSet UriInSimpleContent() { return InSimpleContent(typeof(Uri), new Uri("urn:a:b"), null); }

        static DataSet InSimpleContent(Type type, params object[] values)
        {
            DataSet set = Make.Set("ID Int32");
            DataTable table = set.Tables[0];
            table.Columns[0].ColumnMapping = MappingType.Attribute;
            table.Columns.Add(new DataColumn("Value", type, null, MappingType.SimpleContent));
            for (int i = 0; i < values.Length; i++) table.Rows.Add(i, values[i]);
            return set;
        }
    }
}
