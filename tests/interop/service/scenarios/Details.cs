using System;
using System.Data;
using System.Globalization;

namespace Interop.Cases
{
    /// <summary>What a schema says beyond names and types.</summary>
    public static class Details
    {
        public static DataSet PrimaryKey()
        {
            DataSet set = Make.Set("ID Int32, Name String", Make.Row(1, "x"), Make.Row(2, null));
            set.Tables[0].PrimaryKey = new[] { set.Tables[0].Columns["ID"] };
            return set;
        }

        public static DataSet CompositeKey()
        {
            DataSet set = Make.Set("A Int32, B String, C Int32", Make.Row(1, "x", 1), Make.Row(1, "y", 2));
            set.Tables[0].PrimaryKey = new[] { set.Tables[0].Columns["B"], set.Tables[0].Columns["A"] };
            return set;
        }

        public static DataSet Unique()
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"), Make.Row(2, null));
            set.Tables[0].Columns["A"].Unique = true;
            set.Tables[0].Constraints.Add("Both", new[] { set.Tables[0].Columns["A"], set.Tables[0].Columns["B"] }, false);
            return set;
        }

        public static DataSet KeyOnAttribute()
        {
            DataSet set = PrimaryKey();
            set.Tables[0].Columns["ID"].ColumnMapping = MappingType.Attribute;
            return set;
        }

        public static DataSet ExtendedProperties()
        {
            DataSet set = Make.Set("A Int32", Make.Row(1));
            set.ExtendedProperties["Source"] = "interop";
            set.ExtendedProperties["with space"] = "<&>";
            set.Tables[0].ExtendedProperties["Rows"] = "1";
            set.Tables[0].Columns[0].ExtendedProperties["Unit"] = "parcels";
            return set;
        }

        public static DataSet Captions()
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"));
            set.Tables[0].Columns["A"].Caption = "The \"first\" column";
            return set;
        }

        public static DataSet MaxLength()
        {
            DataSet set = Make.Set("A String, B String", Make.Row("abc", "abcdef"));
            set.Tables[0].Columns["A"].MaxLength = 3;
            return set;
        }

        public static DataSet ReadOnly()
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"));
            set.Tables[0].Columns["A"].ReadOnly = true;
            return set;
        }

        public static DataSet Defaults()
        {
            DataSet set = Make.Set("I Int32, S String, D DateTime, M Decimal, B Boolean, T TimeSpan, E String, G Guid");
            DataColumnCollection columns = set.Tables[0].Columns;
            columns["I"].DefaultValue = -1;
            columns["S"].DefaultValue = " a <b> ";
            columns["D"].DefaultValue = new DateTime(2024, 1, 15, 8, 30, 0);
            columns["M"].DefaultValue = 1.50m;
            columns["B"].DefaultValue = true;
            columns["T"].DefaultValue = TimeSpan.FromMinutes(90);
            columns["E"].DefaultValue = "";
            columns["G"].DefaultValue = Guid.Empty;
            set.Tables[0].Rows.Add(set.Tables[0].NewRow());
            return set;
        }

        public static DataSet AutoIncrement()
        {
            DataSet set = Make.Set("ID Int32, Big Int64, Name String");
            DataColumn id = set.Tables[0].Columns["ID"], big = set.Tables[0].Columns["Big"];
            id.AutoIncrement = true;
            id.AutoIncrementSeed = 100;
            id.AutoIncrementStep = -5;
            big.AutoIncrement = true;
            for (int i = 0; i < 3; i++) set.Tables[0].Rows.Add(null, null, "row " + i);
            return set;
        }

        public static DataSet Expressions()
        {
            DataSet set = Make.Set("In Int32, Out Int32", Make.Row(3, 4), Make.Row(null, 1));
            set.Tables[0].Columns.Add("Sum", typeof(int), "[In] + [Out]");
            set.Tables[0].Columns.Add("Kind", typeof(string), "IIF([Out] > 2, 'many', 'few')");
            return set;
        }

        public static DataSet LocaleAndCase()
        {
            DataSet set = Make.Set("A Int32", Make.Row(1));
            set.CaseSensitive = true;
            set.Locale = new CultureInfo("de-DE");
            return set;
        }

        public static DataSet ConstraintsOff()
        {
            DataSet set = Make.Set("A Int32", Make.Row(1), Make.Row(1));
            set.EnforceConstraints = false;
            return set;
        }

        public static DataSet ColumnsOutOfOrder()
        {
            DataSet set = Make.Set("A Int32, B Int32, C Int32", Make.Row(1, 2, 3));
            set.Tables[0].Columns["C"].SetOrdinal(0);
            return set;
        }

        public static DataSet CharDefaultAndCaption()
        {
            DataSet set = Make.Set("C Char, G Guid, O Object");
            set.Tables[0].Columns["C"].DefaultValue = 'y';
            set.Tables[0].Columns["G"].Caption = "Guid";
            set.Tables[0].Rows.Add(null, Guid.Empty, 1);
            return set;
        }
    }
}
