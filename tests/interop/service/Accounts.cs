using System;
using System.Collections.Generic;

namespace Interop
{
    /// <summary>One mailbox with its two credentials; all of them obviously fake.</summary>
    public sealed class Account
    {
        public readonly int Number;
        public Account(int number) { Number = number; }
        public string Label { get { return Named("real"); } }
        public string ApiKey { get { return Named("fake-key"); } }
        public string LoginName { get { return Named("fake-login"); } }
        public string Password { get { return Named("fake-password"); } }
        public int NetworkID { get { return 300 + Number; } }
        public int MailboxID { get { return 9000 + Number; } }
        string Named(string what) { return what + "-" + Number.ToString("D4"); }
    }

    /// <summary>What a mailbox answers besides plain counts.</summary>
    public static class Odd
    {
        public const int NetworkUser = 20;
        public const int ZeroRows = 21;
        public const int NullDataSet = 22;
        public const int Revoked = 23;
        public const int Denied = 24;
        public const int SaysMore = 25;
    }

    /// <summary>Who may ask: accounts, open sessions, and when a session ends by itself.</summary>
    public static class Accounts
    {
        const int Count = 25;
        const int SessionCap = 5;

        sealed class Session
        {
            public Account Account;
            public int CallsLeft;
        }

        static readonly object guard = new object();
        static readonly Dictionary<string, Session> open = new Dictionary<string, Session>();
        static readonly Account[] all = Build();
        static int issued;
        static int callsPerSession;

        static Account[] Build()
        {
            var accounts = new Account[Count];
            for (int i = 0; i < Count; i++) accounts[i] = new Account(i + 1);
            return accounts;
        }

        public static int OpenSessions { get { lock (guard) return open.Count; } }

        /// <summary>Closes every session; sessions opened later end after so many calls, 0 = never.</summary>
        public static void Reset(int callsEach)
        {
            lock (guard)
            {
                open.Clear();
                callsPerSession = callsEach;
            }
        }

        /// <summary>The new SessionID, or null if the credential is wrong or has too many sessions.</summary>
        public static string Login(string loginName, string password)
        {
            Account account = Array.Find(all, a => a.LoginName == loginName && a.Password == password);
            if (account == null || account.Number == Odd.Revoked) return null;
            lock (guard)
            {
                int mine = 0;
                foreach (Session session in open.Values) if (session.Account == account) mine++;
                if (mine >= SessionCap) return null;
                string id = "ffffffff-ffff-ffff-ffff-" + (++issued).ToString("D12");
                open[id] = new Session { Account = account, CallsLeft = callsPerSession };
                return id;
            }
        }

        /// <summary>The account of a mailbox; null if that network has no such mailbox.</summary>
        public static Account OfMailbox(int networkID, int mailboxID)
        {
            return Array.Find(all, a => a.NetworkID == networkID && a.MailboxID == mailboxID);
        }

        public static bool Logout(string sessionID)
        {
            lock (guard) return sessionID != null && open.Remove(sessionID);
        }

        /// <summary>The account of an open session, without using up a call; else null.</summary>
        public static Account Peek(string sessionID)
        {
            Session session;
            lock (guard)
                return sessionID != null && open.TryGetValue(sessionID, out session) ? session.Account : null;
        }

        /// <summary>The account behind a key or an open session, one call being used up; else null.</summary>
        public static Account Find(string sessionID)
        {
            if (sessionID == null) return null;
            Account byKey = Array.Find(all, a => a.ApiKey == sessionID);
            if (byKey != null) return byKey.Number == Odd.Revoked ? null : byKey;
            lock (guard)
            {
                Session session;
                if (!open.TryGetValue(sessionID, out session)) return null;
                if (callsPerSession > 0 && session.CallsLeft-- <= 0)
                {
                    open.Remove(sessionID);
                    return null;
                }
                return session.Account;
            }
        }
    }
}
