using System.Data;
using System.Linq;

namespace Interop.Cases
{
    /// <summary>Names and namespaces that ask for confusion.</summary>
    public static class Labels
    {
        static DataSet Columns(params string[] names)
        {
            var set = new DataSet();
            DataTable table = set.Tables.Add("Table");
            foreach (string name in names) table.Columns.Add(name, typeof(int));
            table.Rows.Add(Enumerable.Range(0, names.Length).Cast<object>().ToArray());
            return set;
        }

        static DataSet Placed(DataSet set, MappingType place)
        {
            foreach (DataColumn column in set.Tables[0].Columns) column.ColumnMapping = place;
            return set;
        }

        static readonly string[] odd = { "{a}b", "}", "a{b", "\ud83d\ude00\ud83d\ude01", "\ud840\udc00x",
            "x\udbff\udffd", " ", "  ", "\n", "a\rb",
            "\u0001", "\ufffd", "\ufffe", "a\u200bb", "\u202eabc", "_x", "_x00", "_x0020", "_x0020_x0020_", "_xD83D_",
                "xml:lang", ":", "a:", ":a",
            "\u0130", "i", "\u00df", "SS", "\u0660\u0661", "\u00b7", "\u0387", "\u3007", "\uff21", "\u212a" };

        public static DataSet OddColumns() { return Columns(odd); }
        public static DataSet OddAttributes()
        {
            return Placed(Columns(odd.Where(n => !n.StartsWith("xml")).ToArray()), MappingType.Attribute);
        }

        public static DataSet OddHidden() { return Placed(Columns(odd), MappingType.Hidden); }

        public static DataSet OddTables()
        {
            var set = new DataSet(" \ud83d\ude00 ");
            foreach (string name in odd)
                if (!set.Tables.Contains(name)) Make.Table(set, name, "A Int32", Make.Row(set.Tables.Count));
            return set;
        }

        public static DataSet OddTablesChanged()
        {
            DataSet set = OddTables();
            set.AcceptChanges();
            foreach (DataTable table in set.Tables)
            {
                table.Rows[0]["A"] = 100;
                table.Rows[0].RowError = table.TableName == "\ufffe" || table.TableName == "\u0001" ? "x" : table.TableName;
            }
            return set;
        }

        public static DataSet DifferByCaseAsAttributes()
        {
            return Placed(Columns("Count", "count", "COUNT"), MappingType.Attribute);
        }

        public static DataSet DifferByCaseHidden()
        {
            return Placed(Columns("Count", "count", "COUNT"), MappingType.Hidden);
        }

        public static DataSet SameNameAsAttributeAndHidden()
        {
            DataSet set = Columns("a", "hiddena", "A", "hiddenA");
            set.Tables[0].Columns[0].ColumnMapping = MappingType.Hidden;
            set.Tables[0].Columns[2].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns[3].ColumnMapping = MappingType.Attribute;
            return set;
        }

        public static DataSet DiffGramWordsAsAttributes()
        {
            return Placed(Columns("hasErrors", "parentId", "Error", "InstanceType", "type", "hiddenhidden"),
                MappingType.Attribute);
        }

        public static DataSet SoapWords()
        {
            var set = new DataSet("Envelope");
            foreach (string name in new[] { "Envelope", "Body", "Fault", "AnswerResponse", "AnswerResult", "Header",
                "detail" })
                Make.Table(set, name, "faultcode String, faultstring String, " + name + " Int32", Make.Row("a", name,
                    1));
            return set;
        }

        public static DataSet XsdWords()
        {
            var set = new DataSet("diffgram");
            foreach (string name in new[] { "element", "complexType", "sequence", "import", "choice", "Relationship",
                "NewDataSet", "diffgram" })
                Make.Table(set, name, "type String, name String, ref Int32", Make.Row("a", name, 1), Make.Row(null,
                    null, null));
            return set;
        }

        public static DataSet DataSetCalledBefore() { return Called("before"); }
        public static DataSet DataSetCalledErrors() { return Called("errors"); }
        public static DataSet DataSetCalledDiffgram() { return Called("diffgram"); }
        public static DataSet DataSetCalledLikeItsResult() { return Called("AnswerResult"); }
        public static DataSet DataSetCalledBeyondTheBmp() { return Called("\ud83d\ude00"); }

        static DataSet Called(string name)
        {
            DataSet set = Make.Set("A Int32, B String", Make.Row(1, "x"), Make.Row(2, null), Make.Row(3, "z"));
            set.DataSetName = name;
            set.AcceptChanges();
            set.Tables[0].Rows[0]["A"] = 10;
            set.Tables[0].Rows[1].Delete();
            set.Tables[0].Rows[2].RowError = "wrong";
            return set;
        }

        static DataSet InSpace(string space, string prefix = "")
        {
            DataSet set = Called("Set");
            set.Namespace = space;
            set.Prefix = prefix;
            return set;
        }

        public static DataSet NamespaceWithBraces() { return InSpace("urn:{a}b"); }
        public static DataSet NamespaceWithSpacesAndMarkup() { return InSpace("a b <c> & \"d\""); }
        public static DataSet NamespaceInOtherLetters() { return InSpace("urn:gr\u00f6\u00dfe:\u5217", "g"); }
        public static DataSet NamespaceOfTheEnvelope()
        {
            return InSpace("http://schemas.xmlsoap.org/soap/envelope/", "soap");
        }

        public static DataSet NamespaceOfDiffGrams() { return InSpace("urn:schemas-microsoft-com:xml-diffgram-v1"); }
        public static DataSet NamespaceOfMsdata() { return InSpace("urn:schemas-microsoft-com:xml-msdata"); }
        public static DataSet NamespaceOfXsd() { return InSpace("http://www.w3.org/2001/XMLSchema"); }
        public static DataSet PrefixDiffgr() { return InSpace("urn:example:set", "diffgr"); }
        public static DataSet PrefixMsdata() { return InSpace("urn:example:set", "msdata"); }
        public static DataSet PrefixXs() { return InSpace("urn:example:set", "xs"); }
        public static DataSet PrefixMstns() { return InSpace("urn:example:set", "mstns"); }

        public static DataSet TableOutOfTheNamespace()
        {
            DataSet set = InSpace("urn:example:set", "s");
            set.Tables[0].Namespace = "";
            Make.Table(set, "Inside", "A Int32", Make.Row(1));
            return set;
        }

        public static DataSet ColumnOutOfTheNamespace()
        {
            DataSet set = InSpace("urn:example:set");
            set.Tables[0].Columns["A"].Namespace = "";
            return set;
        }

        public static DataSet NamespacesThatAreNoUris()
        {
            DataSet set = Families.ChangedAcrossNamespaces();
            set.Namespace = "My Company";
            set.Tables["Parent"].Namespace = "My  Company <Parents>";
            set.Tables["Child"].Namespace = "100 % & \"Child\"";
            set.Tables["Child"].Columns["Text"].Namespace = "C:\\texts 'x'";
            set.Tables["Child"].Rows[2]["Text"] = "<a xmlns=\"My Company\" xmlns:b='x y' namespace=\"&amp;\">\u0001";
            return set;
        }

        public static DataSet ColumnInTheDataSetsNamespace()
        {
            DataSet set = InSpace("urn:example:set");
            set.Tables[0].Namespace = "urn:example:table";
            set.Tables[0].Columns["A"].Namespace = "urn:example:set";
            set.Tables[0].Columns["B"].Namespace = "urn:example:column";
            return set;
        }

        public static DataSet ThreeTablesOfOneName()
        {
            var set = new DataSet { Namespace = "urn:example:set" };
            foreach (string space in new[] { "urn:example:set", "urn:example:one", "urn:example:two" })
            {
                DataTable table = set.Tables.Add("Stats", space);
                table.Columns.Add("A", typeof(int));
                table.Columns.Add(space.Substring(12), typeof(string));
                table.Rows.Add(set.Tables.Count, space);
                table.Rows.Add(null, null);
            }
            set.AcceptChanges();
            set.Tables[1].Rows[0]["A"] = 20;
            set.Tables[2].Rows[0].Delete();
            return set;
        }

        public static DataSet EveryPlaceInANamespace()
        {
            DataSet set = InSpace("urn:example:set", "s");
            DataTable table = Make.Table(set, "Places", "E Int32, A Int32, H Int32, T Int32", Make.Row(1, 2, 3, 4),
                Make.Row(null, null, null, null));
            table.Columns["A"].ColumnMapping = MappingType.Attribute;
            table.Columns["H"].ColumnMapping = MappingType.Hidden;
            table.Columns["A"].Namespace = "urn:example:attribute";
            table.Columns["A"].Prefix = "q";
            table.Columns["T"].Namespace = "urn:example:text";
            return set;
        }

        public static DataSet HiddenInANamespaceOfItsOwn()
        {
            DataSet set = Columns("A", "B");
            set.Tables[0].Columns["B"].ColumnMapping = MappingType.Hidden;
            set.Tables[0].Columns["B"].Namespace = "urn:example:hidden";
            return set;
        }

        public static DataSet SimpleContentInANamespace()
        {
            DataSet set = Columns("A", "T");
            set.Namespace = "urn:example:set";
            set.Tables[0].Namespace = "urn:example:table";
            set.Tables[0].Prefix = "t";
            set.Tables[0].Columns["A"].ColumnMapping = MappingType.Attribute;
            set.Tables[0].Columns["T"].ColumnMapping = MappingType.SimpleContent;
            return set;
        }

        public static DataSet SimpleContentBetweenAttributes()
        {
            DataSet set = Columns("A", "B", "T", "C", "H", "D");
            Placed(set, MappingType.Attribute);
            set.Tables[0].Columns["T"].ColumnMapping = MappingType.SimpleContent;
            set.Tables[0].Columns["H"].ColumnMapping = MappingType.Hidden;
            return set;
        }

        public static DataSet ElementsBetweenAttributesAndHidden()
        {
            DataSet set = Columns("H1", "E1", "A1", "E2", "H2", "A2", "E3");
            foreach (DataColumn column in set.Tables[0].Columns)
                column.ColumnMapping = column.ColumnName[0] == 'H' ? MappingType.Hidden : column.ColumnName[0] == 'A' ? MappingType.Attribute : MappingType.Element;
            return set;
        }

        public static DataSet OrdinalsSetAgain()
        {
            DataSet set = ElementsBetweenAttributesAndHidden();
            set.Tables[0].Columns["E3"].SetOrdinal(0);
            set.Tables[0].Columns["A1"].SetOrdinal(6);
            set.Tables[0].Columns["H2"].SetOrdinal(1);
            return set;
        }
    }
}
