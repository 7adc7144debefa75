using System.Globalization;

namespace Vivarium.TestKit;

/// <summary>
/// Feeds a parser with damaged input, always the same for the same seed. Parsers must answer with their own exception; anything else, and any
/// input that takes longer than a second, fails the test with the seed to repeat it: set <c>VIVARIUM_FUZZ_SEED</c>, <c>VIVARIUM_FUZZ_ROUNDS</c>.
/// </summary>
public static class Fuzz
{
    private static readonly byte[] Interesting = [0, 1, 9, 10, 13, 32, 34, 39, 44, 45, 46, 47, 48, 57, 58, 91, 92, 93, 123, 125, 127, 128, 255];

    /// <summary>Runs <paramref name="parse"/> on random bytes and on damaged copies of the samples.</summary>
    /// <param name="samples">Valid inputs to damage.</param>
    /// <param name="parse">The parser; may return or throw an exception that <paramref name="isRefusal"/> knows.</param>
    /// <param name="isRefusal">Whether an exception is how this parser says no.</param>
    /// <param name="rounds">How many inputs.</param>
    public static void Bytes(IReadOnlyList<byte[]> samples, Action<byte[]> parse, Func<Exception, bool> isRefusal, int rounds = 3000)
    {
        rounds = Setting("VIVARIUM_FUZZ_ROUNDS") ?? rounds;
        var first = Setting("VIVARIUM_FUZZ_SEED") ?? 1;
        for (var seed = first; seed < first + rounds; seed++)
        {
            var random = new Random(seed);
            var input = samples.Count == 0 || random.Next(10) == 0 ? Noise(random) : Damage(random, samples[random.Next(samples.Count)]);
            var begin = TimeProvider.System.GetTimestamp();
            try
            {
                parse(input);
            }
            catch (Exception e) when (isRefusal(e))
            {
                // That is an answer.
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}: {e.GetType().Name} on {Show(input)}", e);
            }

            var took = TimeProvider.System.GetElapsedTime(begin);
            if (took > TimeSpan.FromSeconds(1))
            {
                throw new InvalidOperationException($"seed {seed}: took {took.TotalSeconds:0.0} s on {Show(input)}");
            }
        }
    }

    /// <summary>The same for text.</summary>
    public static void Text(IReadOnlyList<string> samples, Action<string> parse, Func<Exception, bool> isRefusal, int rounds = 3000) =>
        Bytes([.. samples.Select(System.Text.Encoding.UTF8.GetBytes)], b => parse(System.Text.Encoding.UTF8.GetString(b)), isRefusal, rounds);

    private static byte[] Noise(Random random)
    {
        var bytes = new byte[random.Next(300)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Damage(Random random, byte[] sample)
    {
        List<byte> bytes = [.. sample];
        for (var i = random.Next(1, 8); i > 0 && bytes.Count > 0; i--)
        {
            var at = random.Next(bytes.Count);
            var length = Math.Min(random.Next(1, 40), bytes.Count - at);
            switch (random.Next(7))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = Interesting[random.Next(Interesting.Length)];
                    break;
                case 2:
                    bytes.RemoveRange(at, length);
                    break;
                case 3:
                    bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, length));
                    break;
                case 4:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 5:
                    bytes.InsertRange(at, Enumerable.Repeat(Interesting[random.Next(Interesting.Length)], random.Next(1, 200)));
                    break;
                default:
                    bytes.Insert(at, (byte)random.Next(256));
                    break;
            }
        }

        return [.. bytes];
    }

    private static string Show(byte[] input) => $"{input.Length} bytes {Convert.ToHexString(input.AsSpan(0, Math.Min(200, input.Length)))}";

    private static int? Setting(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : null;
}
