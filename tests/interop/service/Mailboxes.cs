using System;
using System.Collections.Generic;

namespace Interop
{
    public enum Status { Development, Active, Preproduction, Suspended, Terminated }

    public enum UseType { Undefined, Test, Production, TestAndProduction }

    /// <summary>Some of what the contract says of a user.</summary>
    public class UserIDInfo
    {
        public int UserID;
        public string LoginName;
        public string FirstName;
        public string LastName;
        public int NetworkID;
        public int MailboxID;
        public Status Status;
    }

    /// <summary>Fields and order are those of the contract, which has more.</summary>
    public class MailboxIDInfo
    {
        public int MailboxID;
        public int NetworkID;
        public string Name;
        public DateTime Created;
        public DateTime Modified;
        public Status Status;
        public string Description;
        public UserIDInfo OwnerUserID;
        public bool Managed;
        public UseType UseType;
        public bool ECGridAccount;
        public string DefaultAS2ID;
    }

    /// <summary>The networks that can be listed.</summary>
    public static class Mailboxes
    {
        public const int Plain = 320;
        const int Odd = 990;
        const int None = 991;
        const int Null = 992;
        static readonly DateTime Since = new DateTime(2024, 1, 15, 8, 30, 0, DateTimeKind.Utc);

        public static bool Exists(int networkID)
        {
            return networkID == Plain || (networkID >= Odd && networkID <= Null);
        }

        public static MailboxIDInfo[] Of(int networkID, string name)
        {
            if (networkID == Null) return null;
            var found = new List<MailboxIDInfo>();
            if (networkID == Plain)
                for (int i = 1; i <= 25; i++) found.Add(Made(networkID, 9000 + i, "Mailbox " + i));
            if (networkID == Odd) found.AddRange(OddOnes());
            if (!string.IsNullOrEmpty(name)) found.RemoveAll(each => each.Name == null || !each.Name.Contains(name));
            return found.ToArray();
        }

        static IEnumerable<MailboxIDInfo> OddOnes()
        {
            var names = new[]
            {
                "Acme, \"Orders\"; Inc.", "Acme\nOrders\ttab", "Acme\r\nOrders", "", null, "   ", "\u202eredro \u0645",
                "<b>&amp;", "\ud83d\ude80 rocket", "a\u0001b", new string('x', 5000),
            };
            for (int i = 0; i < names.Length; i++) yield return Made(Odd, 100 + i, names[i]);
            yield return null;
            MailboxIDInfo suspended = Made(Odd, 200, "Suspended one"), unmanaged = Made(Odd, 201, "Unmanaged one");
            suspended.Status = Status.Suspended;
            unmanaged.Managed = false;
            unmanaged.OwnerUserID = null;
            yield return suspended;
            yield return unmanaged;
            yield return Made(Odd, 0, "Root");
        }

        static MailboxIDInfo Made(int networkID, int mailboxID, string name)
        {
            return new MailboxIDInfo
            {
                MailboxID = mailboxID,
                NetworkID = networkID,
                Name = name,
                Created = Since,
                Modified = Since,
                Status = Status.Active,
                OwnerUserID = new UserIDInfo { UserID = 1, LoginName = "fake-owner", FirstName = "A", LastName = "B" },
                Managed = true,
                UseType = UseType.Production,
                ECGridAccount = true,
            };
        }
    }
}
