using System.Collections.Generic;
using System.Text;

namespace Interop
{
    /// <summary>Just enough JSON writing: strings in ASCII, lists, objects of ready-made values.</summary>
    public static class Json
    {
        public static string Text(string value)
        {
            if (value == null) return "null";
            var json = new StringBuilder("\"");
            foreach (char c in value)
            {
                if (c == '"' || c == '\\') json.Append('\\').Append(c);
                else if (c < ' ' || c > '~') json.Append("\\u").Append(((int)c).ToString("x4"));
                else json.Append(c);
            }
            return json.Append('"').ToString();
        }

        public static string Bool(bool value) { return value ? "true" : "false"; }

        public static string List(IEnumerable<string> values) { return "[" + string.Join(", ", values) + "]"; }

        /// <summary>Keys and ready-made JSON values, alternating.</summary>
        public static string Object(IList<string> pairs)
        {
            var json = new StringBuilder("{");
            for (int i = 0; i < pairs.Count; i += 2)
                json.Append(i == 0 ? "" : ", ").Append(Text(pairs[i])).Append(": ").Append(pairs[i + 1]);
            return json.Append('}').ToString();
        }
    }
}
