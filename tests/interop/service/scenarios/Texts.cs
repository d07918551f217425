using System.Data;

namespace Interop.Cases
{
    public static class Texts
    {
        public static DataSet WhitespaceOnly()
        {
            return Make.Column(typeof(string), " ", "   ", "\t", "\n", " \n\t ", "", null, "x");
        }

        public static DataSet SpacesAtTheEdges()
        {
            return Make.Column(typeof(string), " x", "x ", "  x  y  ", "\tx", "x\n");
        }

        public static DataSet LineFeedsAndTabs() { return Make.Column(typeof(string), "a\nb", "a\tb", "a\n\nb", "\n"); }

        public static DataSet CarriageReturns()
        {
            return Make.Column(typeof(string), "a\rb", "a\r\nb", "\r", "\r\n", "a\n\rb");
        }

        public static DataSet LineEndsInAttributes()
        {
            DataSet set = Make.Set("A String, B String");
            foreach (DataColumn column in set.Tables[0].Columns) column.ColumnMapping = MappingType.Attribute;
            set.Tables[0].Rows.Add("a\nb", "a\r\nb");
            set.Tables[0].Rows.Add(" a ", "  ");
            return set;
        }

        public static DataSet TabsInAttributes()
        {
            DataSet set = Make.Set("A String");
            set.Tables[0].Columns[0].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Rows.Add("a\tb");
            return set;
        }

        public static DataSet Markup()
        {
            return Make.Column(typeof(string), "<a b='c'>", "&amp;", "]]>", "<!-- x -->", "<![CDATA[x]]>", "\"'", "a > b");
        }

        public static DataSet Unicode()
        {
            return Make.Column(typeof(string), "na\u00efve", "\u5217\u540d", "\u0645\u0631\u062d\u0628\u0627", "e\u0301",
                "\ud83d\ude00 emoji", "\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67", "\ufffd", "\u2028", "\u0085", "\u00a0",
                "\ufeffx", "\u200b");
        }

        public static DataSet LooksLikeSomethingElse()
        {
            return Make.Column(typeof(string), "null", "NaN", "true", "007", "1E5", "2024-01-15", "_x0020_", "NULL", "-0");
        }

        public static DataSet Long() { return Make.Column(typeof(string), new string('x', 300000), "y"); }

        public static DataSet ControlCharacter() { return Make.Column(typeof(string), "a\u0001b"); }

        /// <summary>XML 1.0 has none of these; .NET writes them as character references.</summary>
        static readonly string[] forbidden = { "\u0001", "\u0008", "\u000b", "\u001f", "x\u0002\u0003y", "\u0001 & <\u0002>" };

        public static DataSet ControlCharacters() { return Make.Column(typeof(string), forbidden); }

        public static DataSet NonCharacters() { return Make.Column(typeof(string), "a\ufffeb", "\uffff", "\u007f", "\ufdd0"); }

        public static DataSet ControlCharactersInAttributes() { return Placed(MappingType.Attribute, forbidden); }

        public static DataSet ControlCharactersHidden() { return Placed(MappingType.Hidden, forbidden); }

        public static DataSet ControlCharactersInSimpleContent() { return Placed(MappingType.SimpleContent, forbidden); }

        public static DataSet LineEndsInSimpleContent()
        {
            return Placed(MappingType.SimpleContent, "a\rb", "a\r\nb", "a\tb", "\r\n", " \r ");
        }

        public static DataSet LineEndsHidden() { return Placed(MappingType.Hidden, "a\rb", "a\r\nb", "a\tb", "\r\n"); }

        public static DataSet CarriageReturnsAndMarkup()
        {
            return Make.Column(typeof(string), "<a>\r\n</a>", "]]>\r", "&\r&", "<!--\r-->", "<![CDATA[\r]]>", "'\r\"\r");
        }

        public static DataSet CarriageReturnsInObjects() { return Make.Column(typeof(object), "a\rb", "\r\n", "\t", "a\u0001b"); }

        public static DataSet WhitespaceInTheSchema()
        {
            DataSet set = Make.Set("A String, B String", Make.Row("x", "y"));
            set.Tables[0].Columns["A"].Caption = "tab\tand\nline";
            set.Tables[0].Columns["B"].DefaultValue = "a\tb\r\nc";
            set.ExtendedProperties["Note"] = "one\r\ntwo\tthree";
            return set;
        }

        public static DataSet CarriageReturnsInOldRows()
        {
            DataSet set = Make.Set("ID Int32, Text String", Make.Row(1, "old\r\n"), Make.Row(2, "gone\r"), Make.Row(3, "x"));
            set.AcceptChanges();
            set.Tables[0].Rows[0]["Text"] = "new\r\n";
            set.Tables[0].Rows[1].Delete();
            set.Tables[0].Rows[2].RowError = "wrong\r\n";
            return set;
        }

        static DataSet Placed(MappingType place, params string[] values)
        {
            DataSet set = Make.Column(typeof(string), values);
            set.Tables[0].Columns[0].ColumnMapping = place;
            return set;
        }
    }
}
