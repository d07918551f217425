using System;
using System.Data;

namespace Interop.Cases
{
    /// <summary>Row states of every kind, in every kind of column.</summary>
    public static class Histories
    {
        static DataSet Filled(Action<DataTable> prepare = null)
        {
            DataSet set = Make.Set("ID Int32, Name String, Count Int32", Make.Row(1, "one", 10), Make.Row(2, "two",
                20),
                Make.Row(3, "three", 30), Make.Row(4, null, null));
            if (prepare != null) prepare(set.Tables[0]);
            set.AcceptChanges();
            return set;
        }

        static DataSet Changed(DataSet set)
        {
            DataRowCollection rows = set.Tables[0].Rows;
            rows[0]["Name"] = "changed";
            rows[1].Delete();
            rows[3]["Count"] = 40;
            rows.Add(5, "five", 50);
            rows[0].RowError = "changed and wrong";
            rows[2].SetColumnError("Name", "name");
            rows[2].SetColumnError("Count", "count");
            rows[4].RowError = "new and wrong";
            return set;
        }

        public static DataSet Everything() { return Changed(Filled()); }

        public static DataSet InANamespace()
        {
            DataSet set = Filled();
            set.Namespace = "urn:example:set";
            return Changed(set);
        }

        public static DataSet InATableNamespaceWithPrefix()
        {
            return Changed(Filled(t => { t.Namespace = "urn:example:table"; t.Prefix = "t"; }));
        }

        public static DataSet InColumnNamespaces()
        {
            return Changed(Filled(t => { t.Columns["Name"].Namespace = "urn:example:column"; t.Columns["Name"].Prefix = "c"; }));
        }

        public static DataSet InAttributes() { return Changed(Filled(t => Place(t, MappingType.Attribute))); }
        public static DataSet Hidden() { return Changed(Filled(t => Place(t, MappingType.Hidden))); }

        static void Place(DataTable table, MappingType place)
        {
            foreach (DataColumn column in table.Columns) column.ColumnMapping = place;
        }

        public static DataSet InSimpleContent()
        {
            return Changed(Filled(t => { Place(t,
                MappingType.Attribute); t.Columns["Name"].ColumnMapping = MappingType.SimpleContent; }));
        }

        public static DataSet WithEncodedNames()
        {
            DataSet set = Changed(Filled(t => { t.TableName = "the rows"; }));
            set.Tables[0].Columns["Count"].ColumnName = "1 count";
            set.Tables[0].Columns["Name"].ColumnName = "\ud83d\ude00";
            return set;
        }

        public static DataSet ErrorOnADeletedRow()
        {
            DataSet set = Filled();
            set.Tables[0].Rows[1].RowError = "about to go";
            set.Tables[0].Rows[1].Delete();
            return set;
        }

        public static DataSet EmptyErrors()
        {
            DataSet set = Filled();
            set.Tables[0].Rows[1].RowError = " ";
            set.Tables[0].Rows[2].RowError = "line\r\nline <&> \"q\"\t\ud83d\ude00";
            return set;
        }

        public static DataSet BeingEdited()
        {
            DataSet set = Filled();
            set.Tables[0].Rows[1].BeginEdit();
            set.Tables[0].Rows[1]["Name"] = "not yet";
            return set;
        }

        public static DataSet ChangedBack()
        {
            DataSet set = Filled();
            set.Tables[0].Rows[1]["Name"] = "other";
            set.Tables[0].Rows[1]["Name"] = "two";
            set.Tables[0].Rows[2]["Count"] = 31;
            set.Tables[0].Rows[2].RejectChanges();
            return set;
        }

        public static DataSet InsertedThenDeleted()
        {
            DataSet set = Filled();
            set.Tables[0].Rows.Add(9, "gone", 9).Delete();
            set.Tables[0].Rows.Add(10, "stays", 10);
            set.Tables[0].Rows[0].SetAdded();
            return set;
        }

        public static DataSet InsertedAtTheFront()
        {
            DataSet set = Filled();
            for (int i = 0; i < 3; i++)
            {
                DataRow row = set.Tables[0].NewRow();
                row["ID"] = 100 + i;
                set.Tables[0].Rows.InsertAt(row, 0);
            }
            set.Tables[0].Rows[4].Delete();
            return set;
        }

        public static DataSet SeveralTables()
        {
            DataSet set = Filled();
            DataTable other = Make.Table(set, "Other", "ID Int32, Text String", Make.Row(1, "a"), Make.Row(2, "b"));
            Make.Table(set, "Third", "ID Int32");
            set.AcceptChanges();
            Changed(set);
            other.Rows[0].Delete();
            other.Rows[1]["Text"] = " ";
            set.Tables["Third"].Rows.Add(1);
            return set;
        }

        public static DataSet AllDeletedInOneOfTwo()
        {
            DataSet set = Filled();
            DataTable other = Make.Table(set, "Other", "ID Int32", Make.Row(1));
            set.AcceptChanges();
            other.Rows[0].Delete();
            return set;
        }

        public static DataSet WithAKey()
        {
            DataSet set = Filled(t => t.PrimaryKey = new[] { t.Columns["ID"] });
            set.Tables[0].Rows[0]["ID"] = 100;
            set.Tables[0].Rows[1].Delete();
            set.Tables[0].Rows.Add(2, "two again", 0);
            return set;
        }

        public static DataSet OfEveryType()
        {
            DataSet set = Make.Set(Make.ManyTypes, Make.ManyValues(), Make.ManyValues(), Make.ManyValues());
            set.AcceptChanges();
            foreach (DataColumn column in set.Tables[0].Columns) set.Tables[0].Rows[1][column] = DBNull.Value;
            set.Tables[0].Rows[2].Delete();
            return set;
        }

        public static DataSet RowsWithoutColumns()
        {
            DataSet set = Make.Set("");
            for (int i = 0; i < 4; i++) set.Tables[0].Rows.Add();
            set.AcceptChanges();
            set.Tables[0].Rows[1].Delete();
            set.Tables[0].Rows.Add();
            return set;
        }

        sealed class WithoutSchema : DataSet
        {
            public override SchemaSerializationMode SchemaSerializationMode
            {
                get { return SchemaSerializationMode.ExcludeSchema; }
                set { }
            }
        }

        public static DataSet WithoutSchemaButChanges()
        {
            var set = new WithoutSchema { Namespace = "urn:example:set" };
            set.Merge(Everything());
            return set;
        }

        public static DataSet EmptyWithoutSchema() { return new WithoutSchema(); }
    }
}
