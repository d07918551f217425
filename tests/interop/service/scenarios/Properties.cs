using System;
using System.Data;
using System.Globalization;
using System.Numerics;

namespace Interop.Cases
{
    /// <summary>Defaults, numbering, lengths, captions, expressions, locales: what a schema says besides.</summary>
    public static class Properties
    {
        public static DataSet DefaultsOfEveryType() { return Defaults(MappingType.Element); }
        public static DataSet DefaultsOfAttributes() { return Defaults(MappingType.Attribute); }
        public static DataSet DefaultsOfHidden() { return Defaults(MappingType.Hidden); }

        static DataSet Defaults(MappingType place)
        {
            DataSet set = Make.Set(Make.ManyTypes);
            object[] values = Make.ManyValues();
            DataTable table = set.Tables[0];
            for (int i = 0; i < values.Length; i++)
            {
                if (!(values[i] is byte[])) table.Columns[i].DefaultValue = values[i];
                table.Columns[i].ColumnMapping = place;
            }
            if (place != MappingType.Element) table.Columns.Remove("Offset");
            table.Rows.Add(table.NewRow());
            table.Rows.Add(new object[table.Columns.Count]);
            foreach (DataColumn column in table.Columns) table.Rows[1][column] = DBNull.Value;
            return set;
        }

        public static DataSet DefaultOfSimpleContent()
        {
            DataSet set = Make.Set("A Int32", Make.Row(1));
            set.Tables[0].Columns[0].DefaultValue = 7;
            set.Tables[0].Columns[0].ColumnMapping = MappingType.SimpleContent;
            set.Tables[0].Rows.Add(set.Tables[0].NewRow());
            return set;
        }

        public static DataSet DefaultsOddTexts()
        {
            DataSet set = Make.Set("A String, B String, C String, D String, E Double, F Double, G Decimal");
            DataColumnCollection columns = set.Tables[0].Columns;
            columns["A"].DefaultValue = " ";
            columns["B"].DefaultValue = "\r\n";
            columns["C"].DefaultValue = "\ud83d\ude00";
            columns["D"].DefaultValue = "\"'<>&";
            columns["E"].DefaultValue = double.NaN;
            columns["F"].DefaultValue = double.NegativeInfinity;
            columns["G"].DefaultValue = decimal.MinValue;
            set.Tables[0].Rows.Add(set.Tables[0].NewRow());
            return set;
        }

        public static DataSet NotNullWithDefault()
        {
            DataSet set = Make.Set("A Int32, B String");
            foreach (DataColumn column in set.Tables[0].Columns) column.AllowDBNull = false;
            set.Tables[0].Columns["A"].DefaultValue = 5;
            set.Tables[0].Columns["B"].DefaultValue = "b";
            set.Tables[0].Rows.Add(set.Tables[0].NewRow());
            return set;
        }

        public static DataSet NotNullInEveryPlace()
        {
            DataSet set = Make.Set("A Int32, H Int32, E Int32", Make.Row(1, 2, 3));
            set.Tables[0].Columns["A"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns["H"].ColumnMapping = MappingType.Hidden;
            foreach (DataColumn column in set.Tables[0].Columns) column.AllowDBNull = false;
            return set;
        }

        public static DataSet NotNullSimpleContent()
        {
            DataSet set = Make.Set("T Int32", Make.Row(1));
            set.Tables[0].Columns["T"].ColumnMapping = MappingType.SimpleContent;
            set.Tables[0].Columns["T"].AllowDBNull = false;
            return set;
        }

        public static DataSet NumberingOfEveryType()
        {
            DataSet set = Make.Set("I16 Int16, I32 Int32, I64 Int64, M Decimal, Name String");
            set.Tables[0].Columns.Add("Big", typeof(BigInteger));
            foreach (DataColumn column in set.Tables[0].Columns)
            {
                if (column.ColumnName == "Name") continue;
                column.AutoIncrement = true;
                column.AutoIncrementSeed = -10;
                column.AutoIncrementStep = 3;
            }
            for (int i = 0; i < 3; i++) set.Tables[0].Rows.Add(null, null, null, null, "x");
            return set;
        }

        public static DataSet NumberingReadOnlyKey()
        {
            DataSet set = Make.Set("ID Int32, Name String");
            DataColumn id = set.Tables[0].Columns["ID"];
            id.AutoIncrement = true;
            id.AutoIncrementSeed = -1;
            id.AutoIncrementStep = -1;
            id.ReadOnly = true;
            id.AllowDBNull = false;
            set.Tables[0].PrimaryKey = new[] { id };
            set.Tables[0].Rows.Add(null, "x");
            return set;
        }

        public static DataSet LengthsInEveryPlace()
        {
            DataSet set = Make.Set("A String, H String, E String, N String, Z String", Make.Row("a", "h", "e", "n",
                ""));
            set.Tables[0].Columns["A"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns["H"].ColumnMapping = MappingType.Hidden;
            foreach (string name in new[] { "A", "H", "E" }) set.Tables[0].Columns[name].MaxLength = 40;
            set.Tables[0].Columns["E"].AllowDBNull = false;
            set.Tables[0].Columns["E"].DefaultValue = "e";
            set.Tables[0].Columns["Z"].MaxLength = 0;
            return set;
        }

        public static DataSet LengthOne()
        {
            DataSet set = Make.Set("A String, B Char", Make.Row("a", 'b'));
            set.Tables[0].Columns["A"].MaxLength = 1;
            return set;
        }

        public static DataSet LengthInSimpleContent()
        {
            DataSet set = Make.Set("A String", Make.Row("a"));
            set.Tables[0].Columns["A"].MaxLength = 5;
            set.Tables[0].Columns["A"].ColumnMapping = MappingType.SimpleContent;
            return set;
        }

        public static DataSet LengthExceeded()
        {
            DataSet set = Make.Set("A String");
            set.EnforceConstraints = false;
            set.Tables[0].Columns["A"].MaxLength = 2;
            set.Tables[0].Rows.Add("long");
            return set;
        }

        public static DataSet CaptionsInEveryPlace()
        {
            DataSet set = Make.Set("A Int32, H Int32, E Int32, F Int32", Make.Row(1, 2, 3, 4));
            set.Tables[0].Columns["A"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns["H"].ColumnMapping = MappingType.Hidden;
            foreach (DataColumn column in set.Tables[0].Columns) column.Caption = " caption of <" + column.ColumnName + "> ";
            set.Tables[0].Columns["F"].Caption = "";
            return set;
        }

        public static DataSet ExpressionsOfEveryType()
        {
            DataSet set = Make.Set("A Int32, B String, W DateTime", Make.Row(3, "x", new DateTime(2024, 1, 15)),
                Make.Row(null, null, null));
            DataColumnCollection columns = set.Tables[0].Columns;
            columns.Add("Half", typeof(double), "A / 2.0");
            columns.Add("Money", typeof(decimal), "A * 1.10");
            columns.Add("Flag", typeof(bool), "A > 2");
            columns.Add("Text", typeof(string), "ISNULL(B, '<none>') + '&'");
            columns.Add("When", typeof(DateTime), "W");
            columns.Add("Char", typeof(string), "SUBSTRING(B, 1, 1)");
            columns.Add("Attr", typeof(int), "A + 1").ColumnMapping = MappingType.Attribute;
            columns.Add("Hid", typeof(int), "A + 2").ColumnMapping = MappingType.Hidden;
            return set;
        }

        public static DataSet Locales()
        {
            DataSet set = Make.Set("A Decimal, B Double, W DateTime", Make.Row(1.5m, 2.5, new DateTime(2024, 1, 15)));
            set.Locale = new CultureInfo("de-DE");
            set.Tables[0].Locale = new CultureInfo("ar-SA");
            Make.Table(set, "Other", "A Decimal", Make.Row(1.5m)).Locale = CultureInfo.InvariantCulture;
            return set;
        }

        public static DataSet CaseOfTables()
        {
            DataSet set = Make.Set("A Int32", Make.Row(1));
            set.Tables[0].CaseSensitive = true;
            Make.Table(set, "Other", "A Int32", Make.Row(1)).CaseSensitive = false;
            return set;
        }

        public static DataSet CaseOfTheDataSet()
        {
            DataSet set = Make.Set("A Int32", Make.Row(1));
            set.CaseSensitive = true;
            Make.Table(set, "Other", "A Int32", Make.Row(1)).CaseSensitive = false;
            return set;
        }

        public static DataSet ExtendedPropertiesOfEveryKind()
        {
            DataSet set = Make.Set("A Int32, B Int32, C Int32", Make.Row(1, 2, 3));
            set.Tables[0].Columns["B"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns["C"].ColumnMapping = MappingType.Hidden;
            foreach (DataColumn column in set.Tables[0].Columns) column.ExtendedProperties["of " + column.ColumnName] = "\n<>\ud83d\ude00";
            set.ExtendedProperties["number"] = 5;
            set.ExtendedProperties["when"] = new DateTime(2024, 1, 15);
            set.ExtendedProperties["1"] = "";
            set.Tables[0].ExtendedProperties["flag"] = true;
            set.Tables[0].Constraints.Add("Key", set.Tables[0].Columns["A"], true);
            set.Tables[0].Constraints["Key"].ExtendedProperties["k"] = "v";
            return set;
        }

        public static DataSet ConstraintsWithOddNames()
        {
            DataSet set = Make.Set("A Int32, B Int32", Make.Row(1, 2));
            set.Tables[0].Constraints.Add("the key (1)", set.Tables[0].Columns["A"], true);
            set.Tables[0].Constraints.Add("<&>", set.Tables[0].Columns["B"], false);
            Make.Table(set, "Other", "A Int32", Make.Row(1)).Constraints.Add("the key (1)",
                set.Tables["Other"].Columns["A"], true);
            return set;
        }

        public static DataSet KeysOfManyColumns()
        {
            DataSet set = Make.Set("A Int32, B String, C Guid, D DateTime", Make.Row(1, "b", Guid.Empty,
                new DateTime(2024, 1, 15)));
            set.Tables[0].Columns["B"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].PrimaryKey = new[] { set.Tables[0].Columns["D"], set.Tables[0].Columns["B"],
                set.Tables[0].Columns["A"], set.Tables[0].Columns["C"] };
            return set;
        }

        public static DataSet PrefixesEverywhere()
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"));
            set.Namespace = "urn:example:set";
            set.Prefix = "s";
            set.Tables[0].Namespace = "urn:example:table";
            set.Tables[0].Prefix = "t";
            set.Tables[0].Columns["A"].Namespace = "urn:example:column";
            set.Tables[0].Columns["A"].Prefix = "c";
            return set;
        }

        public static DataSet ReadOnlyInEveryPlace()
        {
            DataSet set = Make.Set("A Int32, H Int32, E Int32", Make.Row(1, 2, 3));
            set.Tables[0].Columns["A"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns["H"].ColumnMapping = MappingType.Hidden;
            foreach (DataColumn column in set.Tables[0].Columns) column.ReadOnly = true;
            return set;
        }

        public static DataSet ClonesAndCopies()
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"), Make.Row(2, null));
            DataSet copy = set.Copy();
            copy.Merge(Make.Set("A Int32, B String, C Double", Make.Row(3, "y", 0.5)), true, MissingSchemaAction.Add);
            return copy;
        }

        public static DataSet OnlyChanges()
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"), Make.Row(2, null), Make.Row(3, "z"));
            set.AcceptChanges();
            set.Tables[0].Rows[2]["B"] = "changed";
            set.Tables[0].Rows[0].Delete();
            return set.GetChanges();
        }
    }
}
