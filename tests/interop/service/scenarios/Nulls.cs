using System;
using System.Data;

namespace Interop.Cases
{
    public static class Nulls
    {
        public static DataSet NoDataSet() { return null; }

        public static DataSet EveryType()
        {
            DataSet set = Make.Set(Make.ManyTypes, Make.ManyValues());
            set.Tables[0].Rows.Add(set.Tables[0].NewRow());
            set.Tables[0].Rows.Add(Make.ManyValues());
            return set;
        }

        public static DataSet OnlyNulls()
        {
            return Make.Set("A Int32, B String, C DateTime", Make.Row(null, null, null), Make.Row(null, null, null));
        }

        public static DataSet FirstValueLate()
        {
            return Make.Set("A Int32, B String", Make.Row(null, null), Make.Row(null, "x"), Make.Row(1, null));
        }

        public static DataSet EmptyStringIsNotNull()
        {
            return Make.Set("A String, B Byte[]", Make.Row("", new byte[0]), Make.Row(null, null), Make.Row("x", null));
        }

        public static DataSet DefaultIsNotApplied()
        {
            DataSet set = Make.Set("A Int32, B String");
            set.Tables[0].Columns["A"].DefaultValue = 42;
            set.Tables[0].Columns["B"].DefaultValue = "default";
            set.Tables[0].Rows.Add(DBNull.Value, DBNull.Value);
            set.Tables[0].Rows.Add(set.Tables[0].NewRow());
            return set;
        }

        public static DataSet InAttributes()
        {
            DataSet set = Make.Set("A Int32, B String, C String");
            foreach (DataColumn column in set.Tables[0].Columns) column.ColumnMapping = MappingType.Attribute;
            set.Tables[0].Rows.Add(1, "", null);
            set.Tables[0].Rows.Add(null, null, null);
            set.Tables[0].Rows.Add(null, "b", " ");
            return set;
        }

        public static DataSet InSimpleContent()
        {
            DataSet set = Make.Set("Text String");
            set.Tables[0].Columns[0].ColumnMapping = MappingType.SimpleContent;
            set.Tables[0].Rows.Add("first");
            set.Tables[0].Rows.Add(DBNull.Value);
            set.Tables[0].Rows.Add("last");
            return set;
        }

        public static DataSet EmptySimpleContent()
        {
            DataSet set = Make.Set("ID Int32, Text String");
            set.Tables[0].Columns[0].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns[1].ColumnMapping = MappingType.SimpleContent;
            set.Tables[0].Rows.Add(1, "");
            set.Tables[0].Rows.Add(2, "x");
            set.Tables[0].Rows.Add(3, DBNull.Value);
            return set;
        }

        public static DataSet NotAllowed()
        {
            DataSet set = Make.Set("A Int32, B String");
            foreach (DataColumn column in set.Tables[0].Columns) column.AllowDBNull = false;
            set.Tables[0].Rows.Add(1, "");
            return set;
        }

        public static DataSet NotAllowedYetSent()
        {
            DataSet set = Make.Set("A Int32, B String");
            set.EnforceConstraints = false;
            set.Tables[0].Columns["A"].AllowDBNull = false;
            set.Tables[0].Rows.Add(DBNull.Value, "x");
            return set;
        }
    }
}
