using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Vivarium.Linux.Tar;

/// <summary>
/// Writes an archive in pax format (POSIX.1-2008): extended headers only where the old header is too small, so that plain entries cost 512 bytes. Extended
/// attributes use the key <c>SCHILY.xattr.</c> that GNU tar and bsdtar read. The sink should collect small writes.
/// </summary>
public sealed class TarWriter(Stream sink)
{
    private readonly byte[] header = new byte[TarHeader.Block];
    private readonly ArrayBufferWriter<byte> extended = new();
    private long contentLeft;
    private int padding;

    /// <summary>Adds an entry; its content follows by <see cref="Content"/>.</summary>
    public void Add(TarEntry entry)
    {
        FinishContent();
        var name = entry.Type == TarEntryType.Directory ? entry.Name + "/" : entry.Name;
        var size = entry.Type == TarEntryType.File ? entry.Size : 0;
        var (seconds, nanoseconds) = Math.DivRem(entry.ModifiedUnixNs, 1_000_000_000);

        extended.ResetWrittenCount();
        if (name.Length > 100)
        {
            Record("path", Encoding.Latin1.GetBytes(name));
        }

        if (entry.Target.Length > 100)
        {
            Record("linkpath", Encoding.Latin1.GetBytes(entry.Target));
        }

        if (size >= TarHeader.OctalLimit)
        {
            Record("size", size.ToString(CultureInfo.InvariantCulture));
        }

        if (nanoseconds != 0 || seconds is < 0 or >= TarHeader.OctalLimit)
        {
            Record("mtime", (entry.ModifiedUnixNs / 1_000_000_000m).ToString("0.#########", CultureInfo.InvariantCulture));
        }

        if (entry.Uid >= TarHeader.IdLimit)
        {
            Record("uid", entry.Uid.ToString(CultureInfo.InvariantCulture));
        }

        if (entry.Gid >= TarHeader.IdLimit)
        {
            Record("gid", entry.Gid.ToString(CultureInfo.InvariantCulture));
        }

        foreach (var (attribute, value) in entry.Attributes)
        {
            Record("SCHILY.xattr." + attribute, value);
        }

        if (extended.WrittenCount > 0)
        {
            Put("././@PaxHeader", "", (byte)'x', 0x1A4, 0, 0, extended.WrittenCount, 0, default);
            sink.Write(extended.WrittenSpan);
            Pad(TarHeader.Padding(extended.WrittenCount));
        }

        Put(name, entry.Target, (byte)entry.Type, entry.Mode, entry.Uid, entry.Gid, size, seconds, entry.Device);
        contentLeft = size;
        padding = TarHeader.Padding(size);
    }

    /// <summary>Content of the entry added last; what is beyond its size is dropped.</summary>
    public void Content(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..(int)Math.Min(bytes.Length, contentLeft)];
        contentLeft -= bytes.Length;
        sink.Write(bytes);
    }

    /// <summary>Ends the archive: two empty blocks.</summary>
    public void Finish()
    {
        FinishContent();
        Pad(TarHeader.Block);
        Pad(TarHeader.Block);
    }

    /// <summary>A file that shrank while it was read is filled up with zeros, as tar does, so that the archive stays whole.</summary>
    private void FinishContent()
    {
        while (contentLeft > 0)
        {
            var count = (int)Math.Min(contentLeft, TarHeader.Block);
            Pad(count);
            contentLeft -= count;
        }

        Pad(padding);
        padding = 0;
    }

    private void Pad(int count)
    {
        header.AsSpan().Clear();
        sink.Write(header.AsSpan(0, count));
    }

    private void Put(string name, string target, byte type, int mode, uint uid, uint gid, long size, long seconds, (uint Major, uint Minor) device)
    {
        var h = header.AsSpan();
        h.Clear();
        TarHeader.PutText(TarHeader.Name(h), name);
        TarHeader.PutOctal(TarHeader.Mode(h), mode);
        TarHeader.PutOctal(TarHeader.Uid(h), Math.Min(uid, TarHeader.IdLimit - 1));
        TarHeader.PutOctal(TarHeader.Gid(h), Math.Min(gid, TarHeader.IdLimit - 1));
        TarHeader.PutOctal(TarHeader.Size(h), Math.Min(size, TarHeader.OctalLimit - 1));
        TarHeader.PutOctal(TarHeader.Modified(h), Math.Clamp(seconds, 0, TarHeader.OctalLimit - 1));
        h[156] = type;
        TarHeader.PutText(TarHeader.Target(h), target);
        "ustar\000"u8.CopyTo(TarHeader.Magic(h));
        h[263] = h[264] = (byte)'0';
        TarHeader.PutOctal(TarHeader.Major(h), device.Major);
        TarHeader.PutOctal(TarHeader.Minor(h), device.Minor);
        TarHeader.PutOctal(TarHeader.Checksum(h)[..7], TarHeader.Sum(h));
        TarHeader.Checksum(h)[7] = (byte)' ';
        sink.Write(h);
    }

    private void Record(string key, string value) => Record(key, Encoding.Latin1.GetBytes(value));

    /// <summary><c>LENGTH KEY=VALUE\n</c>, where the length counts its own digits too.</summary>
    private void Record(string key, ReadOnlySpan<byte> value)
    {
        var rest = key.Length + value.Length + 3;
        var length = rest + 1;
        while (length != rest + Digits(length))
        {
            length = rest + Digits(length);
        }

        Span<byte> number = stackalloc byte[12];
        Utf8Formatter.TryFormat(length, number, out var digits);
        extended.Write(number[..digits]);
        extended.Write(" "u8);
        extended.Write(Encoding.Latin1.GetBytes(key));
        extended.Write("="u8);
        extended.Write(value);
        extended.Write("\n"u8);
    }

    private static int Digits(int value)
    {
        var digits = 1;
        for (; value >= 10; value /= 10)
        {
            digits++;
        }

        return digits;
    }
}
