using System.Buffers;
using System.Globalization;
using System.Text;

namespace Vivarium.Host.Processes;

/// <summary>Keeps the beginning and the end of a stream within a limit and counts what was cut out between.</summary>
internal sealed class MiddleCut(int limit)
{
    private readonly ArrayBufferWriter<byte> head = new();
    private byte[]? tail;
    private int tailStart;
    private int tailLength;

    /// <summary>Bytes cut out.</summary>
    public long Cut { get; private set; }

    private int HeadLimit => limit / 2;

    private int TailLimit => limit - HeadLimit;

    /// <summary>Adds bytes.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        var toHead = Math.Min(bytes.Length, HeadLimit - head.WrittenCount);
        head.Write(bytes[..toHead]);
        bytes = bytes[toHead..];
        if (bytes.IsEmpty || TailLimit == 0)
        {
            Cut += bytes.Length;
            return;
        }

        tail ??= new byte[Math.Min(TailLimit, 64 * 1024)];
        Grow(Math.Min(TailLimit, tailLength + bytes.Length));
        if (bytes.Length >= TailLimit)
        {
            Cut += tailLength + bytes.Length - TailLimit;
            bytes[^TailLimit..].CopyTo(tail);
            (tailStart, tailLength) = (0, TailLimit);
            return;
        }

        var over = Math.Max(0, tailLength + bytes.Length - TailLimit);
        Cut += over;
        tailStart = (tailStart + over) % tail.Length;
        tailLength -= over;
        var at = (tailStart + tailLength) % tail.Length;
        var first = Math.Min(bytes.Length, tail.Length - at);
        bytes[..first].CopyTo(tail.AsSpan(at));
        bytes[first..].CopyTo(tail);
        tailLength += bytes.Length;
    }

    /// <summary>What was kept, as base64.</summary>
    public string ToBase64()
    {
        if (tailLength == 0)
        {
            return Convert.ToBase64String(head.WrittenSpan);
        }

        var all = new byte[head.WrittenCount + tailLength];
        head.WrittenSpan.CopyTo(all);
        CopyTail(all.AsSpan(head.WrittenCount));
        return Convert.ToBase64String(all);
    }

    /// <summary>What was kept, as text with a mark where something was cut out. What is no UTF-8 becomes a replacement character, and the cut takes no half of a character.</summary>
    public string ToText()
    {
        if (tailLength == 0)
        {
            return Encoding.UTF8.GetString(head.WrittenSpan) + (Cut > 0 ? Mark : string.Empty);
        }

        var end = new byte[tailLength];
        CopyTail(end);
        if (Cut == 0)
        {
            var all = new byte[head.WrittenCount + end.Length];
            head.WrittenSpan.CopyTo(all);
            end.CopyTo(all.AsSpan(head.WrittenCount));
            return Encoding.UTF8.GetString(all);
        }

        return Encoding.UTF8.GetString(WholeEnd(head.WrittenSpan)) + Mark + Encoding.UTF8.GetString(WholeStart(end));
    }

    private string Mark => string.Create(CultureInfo.InvariantCulture, $"\n[… {Cut} bytes cut …]\n");

    /// <summary>Without the half of a character at its end.</summary>
    private static ReadOnlySpan<byte> WholeEnd(ReadOnlySpan<byte> bytes)
    {
        for (var back = 1; back <= Math.Min(4, bytes.Length); back++)
        {
            var b = bytes[^back];
            if ((b & 0xC0) != 0x80)
            {
                var length = b < 0x80 ? 1 : b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
                return length > back ? bytes[..^back] : bytes;
            }
        }

        return bytes;
    }

    /// <summary>Without the half of a character at its beginning.</summary>
    private static ReadOnlySpan<byte> WholeStart(ReadOnlySpan<byte> bytes)
    {
        var skip = 0;
        while (skip < Math.Min(3, bytes.Length) && (bytes[skip] & 0xC0) == 0x80)
        {
            skip++;
        }

        return bytes[skip..];
    }

    private void CopyTail(Span<byte> target)
    {
        var first = Math.Min(tailLength, tail!.Length - tailStart);
        tail.AsSpan(tailStart, first).CopyTo(target);
        tail.AsSpan(0, tailLength - first).CopyTo(target[first..]);
    }

    private void Grow(int wanted)
    {
        if (tail!.Length >= wanted)
        {
            return;
        }

        var larger = new byte[Math.Min(TailLimit, Math.Max(wanted, tail.Length * 2))];
        CopyTail(larger);
        tail = larger;
        tailStart = 0;
    }
}
