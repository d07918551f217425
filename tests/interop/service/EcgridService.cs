using System;
using System.Data;
using System.Web.Services;

namespace Interop
{
    public enum AuthLevel { NoChange, Root, TechOps, NetOps, NetworkAdmin, NetworkUser, MailboxAdmin, MailboxUser }

    /// <summary>What WhoAmI answers; the fields and their order are those of the service's contract.</summary>
    public class SessionInfo
    {
        public string ECGridOSVersion;
        public string SessionID;
        public int SessionEventID;
        public int UserID;
        public string LoginName;
        public string FirstName;
        public string LastName;
        public string Company;
        public string EMail;
        public string Phone;
        public float TimeZoneOffset;
        public AuthLevel AuthLevel;
        public DateTime LastLogin;
        public short OpenSessions;
        public short TimeOut;
        public int NetworkID;
        public int MailboxID;
        public string ip;
    }

    /// <summary>The operations of the statistics service that a nightly job needs.</summary>
    [WebService(Namespace = "https://os.ecgrid.io/", Name = "ECGridOS")]
    public class EcgridService : WebService
    {
        [WebMethod]
        public string Version() { return "ECGridOS v4.1 (interop)"; }

        [WebMethod]
        public DateTime NowUTC() { return DateTime.UtcNow; }

        [WebMethod]
        public string Login(string LoginName, string Password)
        {
            string id = Accounts.Login(LoginName, Password);
            Journal.Add("Login", id == null ? null : Accounts.Peek(id), "\"fault\": " + Json.Bool(id == null));
            if (id == null) throw Faults.Authentication("LoginName");
            return id;
        }

        [WebMethod]
        public int Logout(string SessionID)
        {
            Account account = Accounts.Peek(SessionID);
            bool ended = Accounts.Logout(SessionID);
            Journal.Add("Logout", account, "\"fault\": " + Json.Bool(!ended));
            if (!ended) throw Faults.Authentication();
            return 0;
        }

        [WebMethod]
        public SessionInfo WhoAmI(string SessionID)
        {
            Account account = Admit("WhoAmI", SessionID);
            Journal.Add("WhoAmI", account, null);
            return new SessionInfo
            {
                ECGridOSVersion = Version(),
                SessionID = SessionID,
                UserID = 7000 + account.Number,
                LoginName = account.LoginName,
                FirstName = "Interop",
                LastName = account.Label,
                Company = "Interop",
                EMail = account.Label + "@example.invalid",
                AuthLevel = AuthLevel.MailboxUser,
                LastLogin = new DateTime(2024, 1, 15, 8, 30, 0, DateTimeKind.Utc),
                OpenSessions = (short)Accounts.OpenSessions,
                TimeOut = 1200,
                NetworkID = account.NetworkID,
                MailboxID = account.MailboxID,
                ip = Context.Request.UserHostAddress,
            };
        }

        [WebMethod]
        public DataSet ReportInstantStats(string SessionID, short Minutes1, short Minutes2)
        {
            Account account = Admit("ReportInstantStats", SessionID);
            if (Minutes1 < 1) throw Refused(account, "Minutes1");
            if (Minutes2 < 1) throw Refused(account, "Minutes2");
            if (account.Number == Odd.NullDataSet)
            {
                Journal.Add("ReportInstantStats", account, "\"empty\": true");
                return null;
            }
            if (account.Number == Odd.ZeroRows)
            {
                Journal.Add("ReportInstantStats", account, "\"empty\": true");
                return Shape();
            }
            return Stats("ReportInstantStats", account, Minutes1, Minutes2);
        }

        /// <summary>Everybody may see every mailbox but one.</summary>
        [WebMethod]
        public DataSet ReportInstantStatsEx(
            string SessionID, int NetworkID, int MailboxID, int ECGridID, short Minutes1, short Minutes2)
        {
            Admit("ReportInstantStatsEx", SessionID);
            Account named = Accounts.OfMailbox(NetworkID, MailboxID);
            if (named == null || named.Number == Odd.Denied)
            {
                Journal.Add("ReportInstantStatsEx", named, "\"fault\": true");
                throw named == null ? Faults.NotFound("MailboxID") : Faults.Denied();
            }
            return Stats("ReportInstantStatsEx", named, Minutes1, Minutes2);
        }

        [WebMethod]
        public MailboxIDInfo[] MailboxList(string SessionID, string Name)
        {
            return Listed("MailboxList", SessionID, Mailboxes.Plain, Name);
        }

        [WebMethod]
        public MailboxIDInfo[] MailboxListEx(string SessionID, int NetworkID, string Name)
        {
            return Listed("MailboxListEx", SessionID, NetworkID, Name);
        }

        static MailboxIDInfo[] Listed(string operation, string sessionID, int networkID, string name)
        {
            Account account = Admit(operation, sessionID);
            bool may = account.Number == Odd.NetworkUser, exists = Mailboxes.Exists(networkID);
            Journal.Add(operation, account, "\"fault\": " + Json.Bool(!may || !exists));
            if (!may) throw Faults.Denied();
            if (!exists) throw Faults.NotFound("NetworkID");
            return Mailboxes.Of(networkID, name);
        }

        static Account Admit(string operation, string sessionID)
        {
            Account account = Accounts.Find(sessionID);
            if (account == null)
            {
                Journal.Add(operation, null, "\"fault\": true");
                throw Faults.Authentication();
            }
            if (account.Number == Odd.Denied && operation == "ReportInstantStats")
            {
                Journal.Add(operation, account, "\"fault\": true");
                throw Faults.Denied();
            }
            return account;
        }

        static Exception Refused(Account account, string parameter)
        {
            Journal.Add("ReportInstantStats", account, "\"fault\": true");
            return Faults.Parameter(parameter);
        }

        static DataSet Shape()
        {
            var set = new DataSet();
            DataTable table = set.Tables.Add("Table");
            foreach (string window in new[] { "1", "2" })
                foreach (string what in new[] { "ParcelsIn", "ParcelsOut", "InterchangesIn", "InterchangesOut" })
                    table.Columns.Add(what + window, typeof(int));
            return set;
        }

        static void AddMore(DataSet set)
        {
            DataColumnCollection columns = set.Tables[0].Columns;
            columns.Add(new DataColumn("As Of", typeof(DateTime)) { DateTimeMode = DataSetDateTime.Utc });
            columns.Add("Note", typeof(string));
            set.Tables[0].Rows[0]["As Of"] = new DateTime(2024, 1, 15, 8, 30, 0, DateTimeKind.Utc);
            set.Tables[0].Rows[0]["Note"] = "not counted <yet>";
            DataTable partners = set.Tables.Add("Partners");
            partners.Columns.Add("Name", typeof(string));
            partners.Columns.Add("Bytes", typeof(long));
            partners.Rows.Add("one", 5000000000);
            partners.Rows.Add("two", DBNull.Value);
        }

        static DataSet Stats(string operation, Account account, short first, short second)
        {
            Counts one = Traffic.Of(account, first), two = Traffic.Of(account, second);
            DataSet set = Shape();
            set.Tables[0].Rows.Add(
                one.ParcelsIn, one.ParcelsOut, one.InterchangesIn, one.InterchangesOut,
                two.ParcelsIn, two.ParcelsOut, two.InterchangesIn, two.InterchangesOut);
            if (account.Number == Odd.SaysMore) AddMore(set);
            Journal.AddStats(operation, account, first, second, one, two);
            return set;
        }
    }
}
