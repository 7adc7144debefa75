using System.Runtime.InteropServices;
using System.Text;

namespace Vivarium.Linux.Interop;

/// <summary>Unmanaged memory that lives until the arena is disposed: the strings and arrays a system call wants by address.</summary>
internal sealed unsafe class NativeArena : IDisposable
{
    private readonly List<nint> blocks = [];

    /// <summary>Zeroed memory for <paramref name="count"/> items; null for none.</summary>
    public T* Array<T>(int count)
        where T : unmanaged
    {
        if (count == 0)
        {
            return null;
        }

        // SAFETY: the block is remembered and freed once, in Dispose; the size is checked against overflow by AllocZeroed.
        var block = NativeMemory.AllocZeroed((nuint)count, (nuint)sizeof(T));
        blocks.Add((nint)block);
        return (T*)block;
    }

    /// <summary>A NUL-terminated UTF-8 copy.</summary>
    /// <exception cref="ArgumentException">The text has a NUL in it, which would silently cut it short.</exception>
    public byte* Text(string value)
    {
        if (value.Contains('\0'))
        {
            throw new ArgumentException("the text contains a NUL character");
        }

        var length = Encoding.UTF8.GetByteCount(value);
        var copy = Array<byte>(length + 1);
        Encoding.UTF8.GetBytes(value, new Span<byte>(copy, length));
        return copy;
    }

    /// <summary>A NULL-terminated array of NUL-terminated strings.</summary>
    public byte** Texts(IReadOnlyList<string> values)
    {
        // SAFETY: one element more than there are strings, zeroed, so the array ends with NULL.
        var array = (byte**)Array<nint>(values.Count + 1);
        for (var i = 0; i < values.Count; i++)
        {
            array[i] = Text(values[i]);
        }

        return array;
    }

    public void Dispose()
    {
        foreach (var block in blocks)
        {
            NativeMemory.Free((void*)block);
        }

        blocks.Clear();
    }
}
