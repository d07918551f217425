using System;
using System.IO;
using System.Web;

namespace Interop
{
    /// <summary>GET /sent.ashx: the journal. POST: forget it, and every session; set expireAfter and fault.</summary>
    public class SentPage : IHttpHandler
    {
        public bool IsReusable { get { return true; } }

        public void ProcessRequest(HttpContext context)
        {
            if (context.Request.HttpMethod == "POST")
            {
                int calls;
                int.TryParse(context.Request.Form["expireAfter"], out calls);
                Accounts.Reset(calls);
                Faults.Shape = context.Request.Form["fault"] ?? "word";
                Journal.Clear();
            }
            context.Response.ContentType = "application/json";
            context.Response.AddHeader("X-Open-Sessions", Accounts.OpenSessions.ToString());
            context.Response.Write(Json.List(Journal.Lines()));
        }
    }

    /// <summary>GET /scenarios.ashx: the names of all scenarios.</summary>
    public class ScenariosPage : IHttpHandler
    {
        public bool IsReusable { get { return true; } }

        public void ProcessRequest(HttpContext context)
        {
            context.Response.ContentType = "application/json";
            context.Response.Write(Json.List(Scenarios.Names()));
        }
    }

    /// <summary>POST /dump.ashx: an answer's body; the reply is what .NET holds after reading it.</summary>
    public class DumpPage : IHttpHandler
    {
        public bool IsReusable { get { return true; } }

        public void ProcessRequest(HttpContext context)
        {
            context.Response.ContentType = "application/json";
            context.Response.Write(Dump(context.Request.InputStream));
        }

        static string Dump(Stream answer)
        {
            try { return DataSetDump.OfAnswer(answer); }
            catch (Exception error)
            {
                return Json.Object(new[] { "result", Json.Text("error"), "message", Json.Text(error.ToString()) });
            }
        }
    }
}
