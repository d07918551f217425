using System;

namespace Interop
{
    /// <summary>The four counts of one trailing window.</summary>
    public struct Counts
    {
        public int ParcelsIn, ParcelsOut, InterchangesIn, InterchangesOut;
    }

    /// <summary>A fixed list of events per mailbox: what happened so many whole minutes ago.</summary>
    public static class Traffic
    {
        public static Counts Of(Account account, int minutes)
        {
            var sum = new Counts();
            for (int age = 1; age <= minutes; age++) Add(ref sum, account.Number, age);
            return sum;
        }

        static void Add(ref Counts sum, int account, int age)
        {
            int parcelsIn = Events(account, age, 1), parcelsOut = Events(account, age, 2);
            sum.ParcelsIn += parcelsIn;
            sum.ParcelsOut += parcelsOut;
            // A parcel holds one to three interchanges.
            sum.InterchangesIn += parcelsIn * (1 + Events(account, age, 3) % 3);
            sum.InterchangesOut += parcelsOut * (1 + Events(account, age, 4) % 3);
        }

        static int Events(int account, int age, int kind)
        {
            unchecked
            {
                uint x = (uint)account * 2654435761u ^ (uint)age * 40503u ^ (uint)kind * 2246822519u;
                x ^= x >> 15; x *= 2246822519u;
                x ^= x >> 13; x *= 3266489917u;
                x ^= x >> 16;
                return (int)(x % 5);
            }
        }
    }
}
