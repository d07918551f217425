using System;
using System.Data;

namespace Interop.Cases
{
    public static class Mappings
    {
        public static DataSet Attributes()
        {
            DataSet set = Make.Set("A Int32, B String, C String", Make.Row(1, "x", "<&\"'>"), Make.Row(2, "", null));
            foreach (DataColumn column in set.Tables[0].Columns) column.ColumnMapping = MappingType.Attribute;
            return set;
        }

        public static DataSet EveryTypeAsAttribute()
        {
            DataSet set = Make.Set(Make.ManyTypes, Make.ManyValues());
            set.Tables[0].Columns.Remove("Offset"); // .NET cannot read what it writes for that one
            foreach (DataColumn column in set.Tables[0].Columns) column.ColumnMapping = MappingType.Attribute;
            set.Tables[0].Rows.Add(set.Tables[0].NewRow());
            return set;
        }

        public static DataSet OffsetAsAttribute()
        {
            DataSet set = Make.Set("A DateTimeOffset", Make.Row(new DateTimeOffset(2024, 1, 15, 8, 30, 0, TimeSpan.Zero)));
            set.Tables[0].Columns[0].ColumnMapping = MappingType.Attribute;
            return set;
        }

        public static DataSet Hidden()
        {
            DataSet set = Make.Set("A Int32, B String, C Int32", Make.Row(1, "x", 3), Make.Row(2, null, null));
            set.Tables[0].Columns["B"].ColumnMapping = MappingType.Hidden;
            set.Tables[0].Columns["C"].ColumnMapping = MappingType.Hidden;
            return set;
        }

        public static DataSet HiddenWithEncodedName()
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"));
            set.Tables[0].Columns["B"].ColumnName = "b c (1)";
            set.Tables[0].Columns["b c (1)"].ColumnMapping = MappingType.Hidden;
            return set;
        }

        public static DataSet EveryTypeHidden()
        {
            DataSet set = Make.Set(Make.ManyTypes, Make.ManyValues());
            foreach (DataColumn column in set.Tables[0].Columns) column.ColumnMapping = MappingType.Hidden;
            return set;
        }

        public static DataSet SimpleContent()
        {
            DataSet set = Make.Set("ID Int32, Count Int32", Make.Row(1, 10), Make.Row(2, 20), Make.Row(null, 30));
            set.Tables[0].Columns["ID"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns["Count"].ColumnMapping = MappingType.SimpleContent;
            return set;
        }

        public static DataSet SimpleContentText()
        {
            DataSet set = Make.Set("Text String", Make.Row(" x "), Make.Row("a\nb"), Make.Row("<&>"));
            set.Tables[0].Columns["Text"].ColumnMapping = MappingType.SimpleContent;
            return set;
        }

        public static DataSet SimpleContentWithEncodedName()
        {
            DataSet set = Make.Set("Text String", Make.Row("x"));
            set.Tables[0].Columns["Text"].ColumnName = "the text";
            set.Tables[0].Columns[0].ColumnMapping = MappingType.SimpleContent;
            return set;
        }

        public static DataSet MixedOrder()
        {
            DataSet set = Make.Set("A Int32, B Int32, C Int32, D Int32, E Int32",
                Make.Row(1, 2, 3, 4, 5), Make.Row(6, 7, 8, 9, 10));
            set.Tables[0].Columns["B"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns["D"].ColumnMapping = MappingType.Hidden;
            return set;
        }

        public static DataSet AttributesFirstAndLast()
        {
            DataSet set = Make.Set("A Int32, B Int32, C Int32, D Int32", Make.Row(1, 2, 3, 4));
            set.Tables[0].Columns["A"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns["D"].ColumnMapping = MappingType.Attribute;
            return set;
        }

        public static DataSet AttributeWithEncodedName()
        {
            DataSet set = Make.Set("A Int32", Make.Row(1));
            set.Tables[0].Columns["A"].ColumnName = "1 a";
            set.Tables[0].Columns["1 a"].ColumnMapping = MappingType.Attribute;
            return set;
        }
    }
}
