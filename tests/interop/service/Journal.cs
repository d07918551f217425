using System.Collections.Generic;
using System.Web;

namespace Interop
{
    /// <summary>What the service says it received and sent, one JSON object per call, in order.</summary>
    public static class Journal
    {
        const int Limit = 100000;
        static readonly List<string> lines = new List<string>();

        public static void Clear() { lock (lines) lines.Clear(); }

        public static string[] Lines() { lock (lines) return lines.ToArray(); }

        public static void Add(string operation, Account account, string more)
        {
            string line = "{\"operation\": " + Json.Text(operation)
                + ", \"binding\": " + Json.Text(Binding(HttpContext.Current.Request))
                + ", \"account\": " + (account == null ? "null" : Json.Text(account.Label))
                + (more == null ? "" : ", " + more) + "}";
            lock (lines) if (lines.Count < Limit) lines.Add(line);
        }

        public static void AddStats(string operation, Account account, int first, int second, Counts one, Counts two)
        {
            Add(operation, account,
                "\"minutes\": [" + first + ", " + second + "], \"counts\": [" + List(one) + ", " + List(two) + "]");
        }

        static string List(Counts c)
        {
            return "[" + c.ParcelsIn + ", " + c.ParcelsOut + ", " + c.InterchangesIn + ", " + c.InterchangesOut + "]";
        }

        static string Binding(HttpRequest request)
        {
            if (request.HttpMethod == "GET") return "http-get";
            string type = request.ContentType ?? "";
            if (type.StartsWith("application/x-www-form-urlencoded")) return "http-post";
            return type.StartsWith("application/soap+xml") ? "soap12" : "soap11";
        }
    }
}
