using System;
using System.Collections.Generic;
using System.Data;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Xml;
using System.Xml.Serialization;

namespace Interop
{
    /// <summary>Reads an answer the way an ASMX client does and writes down what .NET then holds.</summary>
    public static class DataSetDump
    {
        const string Xsi = "http://www.w3.org/2001/XMLSchema-instance";

        public static string OfAnswer(Stream body)
        {
            var reader = new XmlTextReader(body)
            {
                DtdProcessing = DtdProcessing.Prohibit,
                Normalization = true, // as the client has it; DataSet turns it off for itself
                XmlResolver = null,
            };
            if (!MoveToResult(reader)) return Json.Object(new[] { "result", Json.Text("null") });
            var set = new DataSet();
            ((IXmlSerializable)set).ReadXml(reader);
            return Of(set);
        }

        static bool MoveToResult(XmlTextReader reader)
        {
            reader.MoveToContent();
            if (reader.LocalName != "Envelope") return reader.GetAttribute("nil", Xsi) != "true";
            for (int depth = 1; depth <= 3; depth++) // Body, its Response, the Result
            {
                if (reader.IsEmptyElement) return false;
                reader.Read();
                if (reader.MoveToContent() != XmlNodeType.Element) return false;
            }
            return true;
        }

        public static string Of(DataSet set)
        {
            return Json.Object(new[]
            {
                "result", Json.Text("dataset"),
                "dataset", Json.Object(new[]
                {
                    "name", Json.Text(set.DataSetName),
                    "namespace", Json.Text(set.Namespace),
                    "prefix", Json.Text(set.Prefix),
                    "caseSensitive", Json.Bool(set.CaseSensitive),
                    "locale", Json.Text(set.Locale.Name),
                    "enforceConstraints", Json.Bool(set.EnforceConstraints),
                    "extendedProperties", Properties(set.ExtendedProperties),
                }),
                "tables", Json.List(set.Tables.Cast<DataTable>().Select(Table)),
                "relations", Json.List(set.Relations.Cast<DataRelation>().Select(Relation)),
            });
        }

        static string Table(DataTable table)
        {
            IEnumerable<DataRow> rows = table.Rows.Cast<DataRow>();
            return Json.Object(new[]
            {
                "name", Json.Text(table.TableName),
                "namespace", Json.Text(table.Namespace),
                "prefix", Json.Text(table.Prefix),
                "columns", Json.List(table.Columns.Cast<DataColumn>().Select(Column)),
                "primaryKey", Names(table.PrimaryKey),
                "constraints", Json.List(table.Constraints.Cast<Constraint>().Select(Constraint)),
                "extendedProperties", Properties(table.ExtendedProperties),
                "deletedRows", rows.Count(row => row.RowState == DataRowState.Deleted).ToString(),
                "rows", Json.List(rows.Where(row => row.RowState != DataRowState.Deleted).Select(Row)),
            });
        }

        static string Column(DataColumn column)
        {
            var facts = new List<string>
            {
                "name", Json.Text(column.ColumnName),
                "type", Json.Text(column.DataType.FullName),
                "nullable", Json.Bool(column.AllowDBNull),
                "mapping", Json.Text(column.ColumnMapping.ToString()),
                "namespace", Json.Text(column.Namespace),
            };
            Action<bool, string, string> also = (set, name, json) =>
            {
                if (set) facts.AddRange(new[] { name, json });
            };
            also(column.DataType == typeof(DateTime), "dateTimeMode", Json.Text(column.DateTimeMode.ToString()));
            also(column.Caption != column.ColumnName, "caption", Json.Text(column.Caption));
            also(column.MaxLength != -1, "maxLength", column.MaxLength.ToString());
            also(column.DefaultValue != DBNull.Value, "default", Value(column, column.DefaultValue));
            also(column.ReadOnly, "readOnly", "true");
            also(column.AutoIncrement, "autoIncrement", "true");
            also(column.AutoIncrement, "autoIncrementSeed", column.AutoIncrementSeed.ToString());
            also(column.AutoIncrement, "autoIncrementStep", column.AutoIncrementStep.ToString());
            also(column.Expression != "", "expression", Json.Text(column.Expression));
            also(column.Unique, "unique", "true");
            also(column.Prefix != "", "prefix", Json.Text(column.Prefix));
            also(column.ExtendedProperties.Count > 0, "extendedProperties", Properties(column.ExtendedProperties));
            return Json.Object(facts);
        }

        static string Constraint(Constraint constraint)
        {
            var facts = new List<string>
            {
                "type", Json.Text(constraint.GetType().Name),
                "name", Json.Text(constraint.ConstraintName),
            };
            var unique = constraint as UniqueConstraint;
            if (unique != null)
            {
                facts.AddRange(new[] { "columns", Names(unique.Columns), "primaryKey", Json.Bool(unique.IsPrimaryKey) });
                return Json.Object(facts);
            }
            var key = (ForeignKeyConstraint)constraint;
            facts.AddRange(new[]
            {
                "columns", Names(key.Columns),
                "parentTable", Json.Text(key.RelatedTable.TableName),
                "parentColumns", Names(key.RelatedColumns),
                "deleteRule", Json.Text(key.DeleteRule.ToString()),
                "updateRule", Json.Text(key.UpdateRule.ToString()),
                "acceptRejectRule", Json.Text(key.AcceptRejectRule.ToString()),
            });
            return Json.Object(facts);
        }

        static string Relation(DataRelation relation)
        {
            return Json.Object(new[]
            {
                "name", Json.Text(relation.RelationName),
                "parentTable", Json.Text(relation.ParentTable.TableName),
                "parentColumns", Names(relation.ParentColumns),
                "childTable", Json.Text(relation.ChildTable.TableName),
                "childColumns", Names(relation.ChildColumns),
                "nested", Json.Bool(relation.Nested),
            });
        }

        static string Row(DataRow row)
        {
            IEnumerable<string> values = row.Table.Columns.Cast<DataColumn>().Select(c => Value(c, row[c]));
            return Json.Object(new[] { "state", Json.Text(row.RowState.ToString()), "values", Json.List(values) });
        }

        static string Value(DataColumn column, object value)
        {
            var sql = value as System.Data.SqlTypes.INullable;
            if (value == null || value == DBNull.Value || (sql != null && sql.IsNull)) return "null";
            string text = Json.Text(Plain(value));
            if (column.DataType != typeof(object)) return text;
            return Json.Object(new[] { "type", Json.Text(value.GetType().FullName), "value", text });
        }

        static string Plain(object value)
        {
            if (value is bool) return Json.Bool((bool)value);
            if (value is float) return XmlConvert.ToString((float)value);
            if (value is double) return XmlConvert.ToString((double)value);
            if (value is byte[]) return Convert.ToBase64String((byte[])value);
            if (value is DateTime) return ((DateTime)value).ToString("o", CultureInfo.InvariantCulture);
            if (value is DateTimeOffset) return ((DateTimeOffset)value).ToString("o", CultureInfo.InvariantCulture);
            if (value is TimeSpan) return ((TimeSpan)value).ToString("c", CultureInfo.InvariantCulture);
            if (value is Uri) return ((Uri)value).OriginalString;
            if (value is Type) return ((Type)value).AssemblyQualifiedName;
            if (value is System.Data.SqlTypes.SqlDecimal) return value.ToString(); // its Value holds less
            if (value is System.Data.SqlTypes.SqlChars) return new string(((System.Data.SqlTypes.SqlChars)value).Value);
            if (value is System.Data.SqlTypes.INullable)
                return Plain(value.GetType().GetProperty("Value").GetValue(value, null));
            return Convert.ToString(value, CultureInfo.InvariantCulture);
        }

        static string Names(IEnumerable<DataColumn> columns)
        {
            return Json.List(columns.Select(column => Json.Text(column.ColumnName)));
        }

        static string Properties(PropertyCollection properties)
        {
            var pairs = new List<string>();
            foreach (object key in properties.Keys.Cast<object>().OrderBy(k => k.ToString(), StringComparer.Ordinal))
                pairs.AddRange(new[] { key.ToString(), Json.Text(Plain(properties[key])) });
            return Json.Object(pairs);
        }
    }
}
