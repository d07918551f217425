using System;
using System.Data;
using System.Data.SqlTypes;
using System.IO;
using System.Linq;
using System.Xml;

namespace Interop.Cases
{
    /// <summary>SqlTypes at their ends, and the ones that hold streams.</summary>
    public static class SqlValues
    {
        public static DataSet Least()
        {
            return Make.Typed(Make.Row(SqlByte.MinValue, SqlInt16.MinValue, SqlInt32.MinValue, SqlInt64.MinValue,
                SqlBoolean.False,
                SqlSingle.MinValue, SqlDouble.MinValue, SqlDecimal.MinValue, SqlMoney.MinValue, SqlDateTime.MinValue));
        }

        public static DataSet Most()
        {
            return Make.Typed(Make.Row(SqlByte.MaxValue, SqlInt16.MaxValue, SqlInt32.MaxValue, SqlInt64.MaxValue,
                SqlBoolean.True,
                SqlSingle.MaxValue, SqlDouble.MaxValue, SqlDecimal.MaxValue, SqlMoney.MaxValue, SqlDateTime.MaxValue));
        }

        public static DataSet Decimals()
        {
            return Make.Column(typeof(SqlDecimal), SqlDecimal.Parse("0.00000000000000000000000000000000000001"),
                SqlDecimal.Parse("-1.50"),
                SqlDecimal.Parse("12345678901234567890.123456789012345678"), SqlDecimal.Null);
        }

        public static DataSet DecimalsTooFarApart()
        {
            return Make.Column(typeof(SqlDecimal), SqlDecimal.MaxValue,
                SqlDecimal.Parse("0.00000000000000000000000000000000000001"));
        }

        public static DataSet Money()
        {
            return Make.Column(typeof(SqlMoney), new SqlMoney(0.0001m), new SqlMoney(-1), new SqlMoney(1.5m),
                SqlMoney.Null, SqlMoney.Zero);
        }

        public static DataSet Strings()
        {
            return Make.Column(typeof(SqlString), new[] { "", " ", "  x ", "<a b='c'>&amp;</a>", "a\nb", "a\tb",
                "]]>", "\"'", "\ud83d\ude00", "&lt;", "&#65;", "null" }
                .Select(t => (object)new SqlString(t)).Concat(new object[] { SqlString.Null }).ToArray());
        }

        public static DataSet StringsWithCarriageReturns()
        {
            return Make.Column(typeof(SqlString), new SqlString("a\rb"), new SqlString("\r\n"), new SqlString("\r"));
        }

        public static DataSet StringsWithControls()
        {
            return Make.Column(typeof(SqlString), new SqlString("a\u0002b"), new SqlString("\u001f"));
        }

        public static DataSet Chars()
        {
            return Make.Column(typeof(SqlChars), new SqlChars("text".ToCharArray()),
                new SqlChars("<&> ".ToCharArray()), new SqlChars(new char[0]), SqlChars.Null);
        }

        public static DataSet Bytes()
        {
            return Make.Column(typeof(SqlBytes), new SqlBytes(new byte[] { 1, 2, 255 }), new SqlBytes(new byte[0]),
                SqlBytes.Null);
        }

        public static DataSet Binaries()
        {
            return Make.Column(typeof(SqlBinary), new SqlBinary(new byte[0]), new SqlBinary(new byte[] { 0 }),
                new SqlBinary(Enumerable.Range(0, 300).Select(i => (byte)i).ToArray()), SqlBinary.Null);
        }

        public static DataSet Xml()
        {
            return Make.Column(typeof(SqlXml), Xml("<a b='1'>x<c>y</c></a>"), Xml("<z xmlns='urn:z'> y </z>"),
                SqlXml.Null);
        }

        static SqlXml Xml(string text) { return new SqlXml(new XmlTextReader(new StringReader(text))); }

        public static DataSet Dates()
        {
            return Make.Column(typeof(SqlDateTime), new SqlDateTime(2024, 1, 15, 8, 30, 0, 3.333),
                new SqlDateTime(2024, 2, 29), new SqlDateTime(1999, 12, 31, 23, 59, 59, 997.0), SqlDateTime.Null);
        }

        public static DataSet Guids()
        {
            return Make.Column(typeof(SqlGuid), new SqlGuid("01234567-89AB-CDEF-0123-456789ABCDEF"), SqlGuid.Null,
                new SqlGuid(Guid.Empty));
        }

        public static DataSet Singles()
        {
            return Make.Column(typeof(SqlSingle), new SqlSingle(0.1f), new SqlSingle(-1e-40f), new SqlSingle(1e10f),
                SqlSingle.Null);
        }

        public static DataSet Booleans()
        {
            return Make.Column(typeof(SqlBoolean), SqlBoolean.True, SqlBoolean.Null, SqlBoolean.False);
        }

        public static DataSet InAttributes() { return Placed(MappingType.Attribute); }
        public static DataSet Hidden() { return Placed(MappingType.Hidden); }

        static DataSet Placed(MappingType place)
        {
            DataSet set = Make.Typed(Make.Row(SqlByte.MaxValue, SqlInt16.MaxValue, SqlInt32.MaxValue,
                SqlInt64.MaxValue, SqlBoolean.True,
                new SqlSingle(1.5f), new SqlDouble(2.5), new SqlDecimal(3.75m), new SqlMoney(4.5m),
                    new SqlDateTime(2024, 1, 15)));
            foreach (DataColumn column in set.Tables[0].Columns) column.ColumnMapping = place;
            return set;
        }

        public static DataSet TextInAttribute() { return Text(MappingType.Attribute); }
        public static DataSet TextHidden() { return Text(MappingType.Hidden); }
        public static DataSet TextInSimpleContent() { return Text(MappingType.SimpleContent); }

        static DataSet Text(MappingType place)
        {
            DataSet set = Make.Column(typeof(SqlString), new SqlString("<a>&amp; "), new SqlString("x"),
                SqlString.Null);
            set.Tables[0].Columns[0].ColumnMapping = place;
            return set;
        }

        public static DataSet InObjects()
        {
            return Make.Column(typeof(object), new SqlInt32(5), new SqlString("x"), new SqlMoney(1.5m));
        }

        public static DataSet Changed()
        {
            DataSet set = Make.Column(typeof(SqlInt32), new SqlInt32(1), SqlInt32.Null, new SqlInt32(3));
            set.AcceptChanges();
            set.Tables[0].Rows[0][0] = SqlInt32.Null;
            set.Tables[0].Rows[1][0] = new SqlInt32(2);
            set.Tables[0].Rows[2].Delete();
            return set;
        }

        public static DataSet AsKeys()
        {
            DataSet set = Make.Column(typeof(SqlInt32), new SqlInt32(1), new SqlInt32(3));
            set.Tables[0].PrimaryKey = new[] { set.Tables[0].Columns[0] };
            return set;
        }
    }
}
