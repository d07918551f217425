using System;
using System.Data;

namespace Interop.Cases
{
    /// <summary>Columns of type object: each value brings its type.</summary>
    public static class Objects
    {
        public static DataSet Extremes()
        {
            return Make.Column(typeof(object), int.MinValue, long.MaxValue, ulong.MaxValue, sbyte.MinValue,
                decimal.MaxValue,
                new decimal(1, 0, 0, true, 28), double.NaN, double.PositiveInfinity, float.NegativeInfinity,
                    double.Epsilon, float.MaxValue, uint.MaxValue);
        }

        public static DataSet DatesOfEveryKind()
        {
            var day = new DateTime(2024, 7, 15, 20, 45, 59).AddTicks(1234567);
            return Make.Column(typeof(object), DateTime.SpecifyKind(day, DateTimeKind.Unspecified),
                DateTime.SpecifyKind(day, DateTimeKind.Utc),
                DateTime.SpecifyKind(day, DateTimeKind.Local), new DateTime(2024, 1, 15));
        }

        public static DataSet FirstAndLastYear()
        {
            return Make.Column(typeof(object), DateTime.MinValue, DateTime.MaxValue);
        }

        public static DataSet Bytes()
        {
            return Make.Column(typeof(object), new byte[0], new byte[] { 1, 2, 3 }, null);
        }

        public static DataSet Texts()
        {
            return Make.Column(typeof(object), "<a>", "&amp;", " x ", "\ud83d\ude00", "line\nline", "]]>", "\u00a0",
                "\u2028");
        }

        public static DataSet Enums() { return Make.Column(typeof(object), DayOfWeek.Friday, 1); }

        public static DataSet TimeSpans()
        {
            return Make.Column(typeof(object), TimeSpan.MinValue, TimeSpan.MaxValue, TimeSpan.FromTicks(1),
                TimeSpan.Zero);
        }

        public static DataSet Guids()
        {
            return Make.Column(typeof(object), Guid.Empty, new Guid("01234567-89AB-CDEF-0123-456789ABCDEF"));
        }

        public static DataSet Chars() { return Make.Column(typeof(object), 'a', '\u20ac', '0'); }
        public static DataSet CharBlank() { return Make.Column(typeof(object), ' ', 'x'); }

        public static DataSet Uris()
        {
            return Make.Column(typeof(object), new Uri("https://example.invalid/a?b=<c>&d"), null, 1);
        }

        public static DataSet Changed()
        {
            DataSet set = Make.Column(typeof(object), 1, "x", 2.5);
            set.AcceptChanges();
            set.Tables[0].Rows[0][0] = "now a text";
            set.Tables[0].Rows[1][0] = 7;
            set.Tables[0].Rows[2].Delete();
            return set;
        }

        public static DataSet InANamespace()
        {
            DataSet set = Make.Column(typeof(object), 1, "x", new byte[] { 1 });
            set.Namespace = "urn:example:set";
            set.Prefix = "o";
            return set;
        }

        public static DataSet InAnotherNamespaceThanTheTable()
        {
            DataSet set = Make.Column(typeof(object), 1, "x", TimeSpan.Zero);
            set.Tables[0].Columns[0].Namespace = "urn:example:column";
            set.Tables[0].Columns[0].Prefix = "c";
            return set;
        }

        public static DataSet SeveralColumns()
        {
            DataSet set = Make.Set("A Object, B Int32, C Object, D String", Make.Row(1, 2, "c", "d"), Make.Row("a",
                null, null, null), Make.Row(null, 1, 1.5m, ""));
            return set;
        }

    }
}
