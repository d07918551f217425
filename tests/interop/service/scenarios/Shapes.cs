using System;
using System.Data;

namespace Interop.Cases
{
    /// <summary>How much there is: no tables, no rows, or very many.</summary>
    public static class Shapes
    {
        public static DataSet NoTables() { return new DataSet(); }
        public static DataSet NoTablesButAName() { return new DataSet("Stats"); }
        public static DataSet NoRows() { return Make.Set("A Int32, B String"); }

        public static DataSet NoColumns()
        {
            DataSet set = Make.Set("");
            Make.Table(set, "Other", "A Int32", Make.Row(1));
            return set;
        }

        public static DataSet SomeTablesEmpty()
        {
            var set = new DataSet();
            Make.Table(set, "First", "A Int32");
            Make.Table(set, "Second", "A Int32", Make.Row(1));
            Make.Table(set, "Third", "A Int32");
            return set;
        }

        /// <summary>Only a derived class, as a typed DataSet is, may leave the schema out.</summary>
        sealed class WithoutSchema : DataSet
        {
            public override SchemaSerializationMode SchemaSerializationMode
            {
                get { return SchemaSerializationMode.ExcludeSchema; }
                set { }
            }
        }

        public static DataSet SchemaLeftOut()
        {
            var set = new WithoutSchema();
            Make.Table(set, "Table", "A Int32, B String", Make.Row(1, "x"), Make.Row(2, "y"));
            return set;
        }

        public static DataSet ManyTables()
        {
            var set = new DataSet();
            for (int i = 0; i < 60; i++) Make.Table(set, "T" + i, "A Int32", Make.Row(i), Make.Row(-i));
            return set;
        }

        public static DataSet ManyColumns()
        {
            DataSet set = Make.Set("");
            var values = new object[300];
            for (int i = 0; i < values.Length; i++)
            {
                set.Tables[0].Columns.Add("C" + i, i % 2 == 0 ? typeof(int) : typeof(string));
                if (i % 3 != 0) values[i] = i % 2 == 0 ? (object)i : "v" + i;
            }
            set.Tables[0].Rows.Add(values);
            return set;
        }

        public static DataSet ManyRows()
        {
            DataSet set = Make.Set("ID Int32, Name String, Ratio Double, When DateTime");
            var day = new DateTime(2024, 1, 15);
            for (int i = 0; i < 5000; i++)
                set.Tables[0].Rows.Add(i, i % 7 == 0 ? null : "name " + i, i / 7.0, day.AddMinutes(i));
            return set;
        }

        static readonly string[] texts = { "x", "", " ", "a\r\nb", "<&>", "\ud83d\ude00", null, "  y ", "\t", "]]>", "a\u0001b" };

        public static DataSet ManyRowsOfOddText()
        {
            DataSet set = Make.Set("ID Int32, Text String, More String");
            for (int i = 0; i < 2000; i++)
                set.Tables[0].Rows.Add(i, texts[i % texts.Length], i < 1500 ? "plain" : texts[i % 7]);
            return set;
        }

        public static DataSet ManyRowsInAttributes()
        {
            DataSet set = ManyRowsOfOddText();
            foreach (DataColumn column in set.Tables[0].Columns) column.ColumnMapping = MappingType.Attribute;
            return set;
        }

        public static DataSet ManyRowsChanged()
        {
            DataSet set = ManyRows();
            set.AcceptChanges();
            for (int i = 0; i < 5000; i += 50) set.Tables[0].Rows[i]["Ratio"] = -1;
            for (int i = 0; i < 5000; i += 70) set.Tables[0].Rows[i].Delete();
            return set;
        }

        public static DataSet ManyRowsInTwoTables()
        {
            DataSet set = ManyRows();
            DataTable other = Make.Table(set, "Other", "ID Int64, Price Decimal, Flag Boolean");
            for (int i = 0; i < 3000; i++) other.Rows.Add(i, i / 8m, i % 3 == 0 ? (object)null : i % 2 == 0);
            return set;
        }

        public static DataSet ManyRowsNested()
        {
            var set = new DataSet();
            DataTable parent = Make.Table(set, "Parent", "ID Int32, Name String");
            DataTable child = Make.Table(set, "Child", "ParentID Int32, Text String");
            for (int i = 0; i < 300; i++) parent.Rows.Add(i, "parent " + i);
            for (int i = 0; i < 3000; i++) child.Rows.Add(i * 7 % 300, "child " + i);
            set.Relations.Add("Family", parent.Columns["ID"], child.Columns["ParentID"]).Nested = true;
            return set;
        }

        public static DataSet ManyRowsOfEveryType()
        {
            DataSet set = Make.Set(Make.ManyTypes);
            for (int i = 0; i < 300; i++)
                set.Tables[0].Rows.Add(i % 10 == 3 ? set.Tables[0].NewRow().ItemArray : Make.ManyValues());
            return set;
        }

        public static DataSet OneColumnOneRow() { return Make.Set("A Int32", Make.Row(1)); }
    }
}
