using System;
using System.Data;
using System.Linq;
using System.Numerics;

namespace Interop.Cases
{
    public static class Types
    {
        public static DataSet SignedIntegers()
        {
            return Make.Set("Tiny SByte, Short Int16, Int Int32, Long Int64",
                Make.Row(sbyte.MinValue, short.MinValue, int.MinValue, long.MinValue),
                Make.Row(sbyte.MaxValue, short.MaxValue, int.MaxValue, long.MaxValue),
                Make.Row((sbyte)0, (short)0, 0, 0L));
        }

        public static DataSet UnsignedIntegers()
        {
            return Make.Set("Tiny Byte, Short UInt16, Int UInt32, Long UInt64",
                Make.Row(byte.MaxValue, ushort.MaxValue, uint.MaxValue, ulong.MaxValue),
                Make.Row((byte)0, (ushort)0, 0u, 0ul));
        }

        public static DataSet Booleans() { return Make.Column(typeof(bool), true, false, null, true); }

        public static DataSet Singles()
        {
            return Make.Column(typeof(float), 0.1f, -1.5f, float.MaxValue, float.MinValue, float.Epsilon,
                float.NaN, float.PositiveInfinity, float.NegativeInfinity, 16777217f, 1e-7f, null);
        }

        public static DataSet Doubles()
        {
            return Make.Column(typeof(double), 0.1, -1.5, double.MaxValue, double.MinValue, double.Epsilon,
                double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e22, 1.0 / 3, 1e-7, 9007199254740993.0);
        }

        public static DataSet Decimals()
        {
            return Make.Column(typeof(decimal), 0m, 1.00m, -1.5m, 0.0000m, 123456789.987654321m, null);
        }

        public static DataSet Decimals29Digits()
        {
            return Make.Column(typeof(decimal), decimal.MaxValue, decimal.MinValue, -1m);
        }

        public static DataSet Decimals28Places()
        {
            return Make.Column(typeof(decimal), 0.0000000000000000000000000001m, 7.9228162514264337593543950335m);
        }

        public static DataSet DecimalsBeyond38Digits()
        {
            return Make.Column(typeof(decimal), decimal.MaxValue, 0.0000000000000000000000000001m);
        }

        public static DataSet Guids()
        {
            return Make.Column(typeof(Guid), Guid.Empty, new Guid("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"), null);
        }

        public static DataSet Chars()
        {
            return Make.Column(typeof(char), 'a', '<', '&', '"', '\u20ac', '\u5217', ' ', '\u00a0', null);
        }

        public static DataSet Bytes()
        {
            return Make.Column(typeof(byte[]), new byte[0], new byte[] { 0 }, new byte[] { 255, 254, 253, 0 }, null,
                Enumerable.Range(0, 5000).Select(i => (byte)i).ToArray());
        }

        public static DataSet Uris()
        {
            return Make.Column(typeof(Uri), new Uri("https://example.invalid/x"), new Uri("urn:isbn:12345"), null);
        }

        public static DataSet UrisWithoutScheme()
        {
            return Make.Column(typeof(Uri), new Uri("a/b?c=d", UriKind.Relative));
        }

        public static DataSet TimeSpans()
        {
            return Make.Column(typeof(TimeSpan), TimeSpan.Zero, TimeSpan.FromTicks(1), TimeSpan.FromTicks(-1),
                new TimeSpan(1, 2, 3, 4, 5), new TimeSpan(-1, -2, -3, -4, -5), TimeSpan.FromDays(400), null);
        }

        public static DataSet TimeSpanExtremes()
        {
            return Make.Column(typeof(TimeSpan), TimeSpan.MaxValue, TimeSpan.MinValue, TimeSpan.FromDays(10675199));
        }

        public static DataSet DateTimeOffsets()
        {
            var day = new DateTime(2024, 7, 15, 8, 30, 0);
            return Make.Column(typeof(DateTimeOffset), new DateTimeOffset(day, TimeSpan.Zero),
                new DateTimeOffset(day, TimeSpan.FromHours(14)), new DateTimeOffset(day, TimeSpan.FromHours(-14)),
                new DateTimeOffset(day.AddTicks(1234567), new TimeSpan(5, 45, 0)), null);
        }

        public static DataSet DateTimeOffsetExtremes()
        {
            return Make.Column(typeof(DateTimeOffset), DateTimeOffset.MinValue, DateTimeOffset.MaxValue);
        }

        public static DataSet Objects()
        {
            return Make.Column(typeof(object), 1, "text", 2.5, 3.75m, true, 4L, (short)5, (byte)6, null, 1.5f,
                new DateTime(2024, 1, 15, 8, 30, 0), new byte[] { 1, 2 }, 7u, 8ul, (ushort)9, (sbyte)-10);
        }

        public static DataSet ObjectGuids() { return Make.Column(typeof(object), Guid.Empty, 1, Guid.Empty); }

        public static DataSet ObjectTimeSpans() { return Make.Column(typeof(object), TimeSpan.FromMinutes(90), "x"); }

        public static DataSet ObjectChars() { return Make.Column(typeof(object), 'x', '<'); }

        public static DataSet ObjectDateTimeOffsets()
        {
            return Make.Column(typeof(object), new DateTimeOffset(2024, 1, 15, 8, 30, 0, TimeSpan.FromHours(2)));
        }

        public static DataSet ObjectUris() { return Make.Column(typeof(object), new Uri("https://example.invalid/")); }

        public static DataSet ObjectBigIntegers() { return Make.Column(typeof(object), BigInteger.Pow(10, 60)); }

        public static DataSet ObjectStrings() { return Make.Column(typeof(object), "", " ", "1", "true", null); }

        public static DataSet BigIntegers()
        {
            return Make.Column(typeof(BigInteger), BigInteger.Zero, BigInteger.Pow(10, 60), BigInteger.Parse("-5"));
        }

        public static DataSet EveryTypeTogether() { return Make.Set(Make.ManyTypes, Make.ManyValues()); }
    }
}
