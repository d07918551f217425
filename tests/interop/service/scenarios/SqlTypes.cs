using System;
using System.Data;
using System.Data.SqlTypes;

namespace Interop.Cases
{
    public static class SqlTypes
    {
        public static DataSet Numbers()
        {
            DataSet set = Make.Set("");
            DataTable table = set.Tables[0];
            Type[] types = { typeof(SqlByte), typeof(SqlInt16), typeof(SqlInt32), typeof(SqlInt64), typeof(SqlBoolean),
                typeof(SqlSingle), typeof(SqlDouble), typeof(SqlDecimal), typeof(SqlMoney) };
            foreach (Type type in types) table.Columns.Add(type.Name, type);
            table.Rows.Add(new SqlByte(7), new SqlInt16(-300), new SqlInt32(-70000), new SqlInt64(5000000000),
                new SqlBoolean(true), new SqlSingle(1.5f), new SqlDouble(2.25), new SqlDecimal(3.75m), new SqlMoney(4.5m));
            table.Rows.Add(table.NewRow().ItemArray);
            return set;
        }

        public static DataSet Others()
        {
            DataSet set = Make.Set("");
            DataTable table = set.Tables[0];
            table.Columns.Add("Text", typeof(SqlString));
            table.Columns.Add("Binary", typeof(SqlBinary));
            table.Columns.Add("Guid", typeof(SqlGuid));
            table.Columns.Add("When", typeof(SqlDateTime));
            table.Rows.Add(new SqlString("text"), new SqlBinary(new byte[] { 1, 2, 255 }), new SqlGuid(Guid.Empty),
                new SqlDateTime(2024, 1, 15));
            table.Rows.Add(SqlString.Null, SqlBinary.Null, SqlGuid.Null, SqlDateTime.Null);
            return set;
        }
    }
}
