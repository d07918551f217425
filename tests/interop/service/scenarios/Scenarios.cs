using System;
using System.Collections.Generic;
using System.Data;
using System.Linq;
using System.Reflection;

namespace Interop
{
    /// <summary>Finds scenarios: every public static method without parameters that makes a DataSet.</summary>
    public static class Scenarios
    {
        static readonly SortedDictionary<string, MethodInfo> all = Collect();

        public static IEnumerable<string> Names() { return all.Keys.Select(Json.Text); }

        public static DataSet Build(string name)
        {
            MethodInfo method;
            if (name == null || !all.TryGetValue(name, out method))
                throw new ArgumentException("no scenario is called '" + name + "'");
            return (DataSet)method.Invoke(null, null);
        }

        static SortedDictionary<string, MethodInfo> Collect()
        {
            var found = new SortedDictionary<string, MethodInfo>(StringComparer.Ordinal);
            foreach (Type type in typeof(Scenarios).Assembly.GetTypes().Where(t => t.Namespace == "Interop.Cases"))
                foreach (MethodInfo method in type.GetMethods(BindingFlags.Public | BindingFlags.Static))
                    if (method.ReturnType == typeof(DataSet) && method.GetParameters().Length == 0)
                        found.Add(type.Name + "." + method.Name, method);
            return found;
        }
    }

    /// <summary>Short ways to make tables.</summary>
    public static class Make
    {
        public const string ManyTypes = "Bool Boolean, Byte Byte, SByte SByte, Int16 Int16, UInt16 UInt16,"
            + " Int32 Int32, UInt32 UInt32, Int64 Int64, UInt64 UInt64, Single Single, Double Double,"
            + " Decimal Decimal, When DateTime, Offset DateTimeOffset, Span TimeSpan, Guid Guid, Char Char,"
            + " Text String, Bytes Byte[], Uri Uri";

        /// <summary>A DataSet with one table; columns as "Name Type, Name Type".</summary>
        public static DataSet Set(string columns, params object[][] rows)
        {
            var set = new DataSet();
            Table(set, "Table", columns, rows);
            return set;
        }

        public static DataTable Table(DataSet set, string name, string columns, params object[][] rows)
        {
            DataTable table = set.Tables.Add(name);
            foreach (string column in columns.Split(new[] { ", " }, StringSplitOptions.RemoveEmptyEntries))
            {
                string[] parts = column.Split(' ');
                table.Columns.Add(parts[0], TypeOf(parts[1]));
            }
            foreach (object[] row in rows) table.Rows.Add(row);
            return table;
        }

        /// <summary>One table whose columns have the types of its first row's values, and their names.</summary>
        public static DataSet Typed(params object[][] rows)
        {
            DataSet set = Set("");
            foreach (object value in rows[0]) set.Tables[0].Columns.Add(value.GetType().Name, value.GetType());
            foreach (object[] row in rows) set.Tables[0].Rows.Add(row);
            return set;
        }

        /// <summary>One column, one row per value.</summary>
        public static DataSet Column(Type type, params object[] values)
        {
            var set = new DataSet();
            DataTable table = set.Tables.Add("Table");
            table.Columns.Add("Value", type);
            foreach (object value in values) table.Rows.Add(new[] { value });
            return set;
        }

        public static object[] Row(params object[] values) { return values; }

        public static object[] ManyValues()
        {
            return new object[]
            {
                true, (byte)7, (sbyte)-7, (short)-300, (ushort)60000, -70000, 4000000000u, -5000000000L,
                10000000000000000000ul, 1.5f, 2.25, 3.750m, new DateTime(2024, 2, 29, 13, 14, 15),
                new DateTimeOffset(2024, 2, 29, 13, 14, 15, TimeSpan.FromHours(5.5)),
                new TimeSpan(1, 2, 3, 4, 5), new Guid("01234567-89ab-cdef-0123-456789abcdef"), 'x', "text",
                new byte[] { 1, 2, 3 }, new Uri("https://example.invalid/a?b=c&d"),
            };
        }

        static Type TypeOf(string name)
        {
            return name == "Uri" ? typeof(Uri) : Type.GetType("System." + name, true);
        }
    }
}
