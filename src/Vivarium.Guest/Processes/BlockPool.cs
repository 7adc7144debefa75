namespace Vivarium.Guest.Processes;

/// <summary>
/// Buffers for output, in three sizes. Few are kept: the agent shall be small while nothing happens, and a command that prints a line shall
/// not cost a quarter of a megabyte.
/// </summary>
internal static class BlockPool
{
    private const int Kept = 8;

    private static readonly int[] Sizes = [4 * 1024, 32 * 1024, (256 * 1024) + OutputBlock.HeaderBytes];
    private static readonly Stack<byte[]>[] Free = [new(), new(), new()];
    private static readonly Lock Gate = new();

    /// <summary>Largest amount of data one block holds, bytes.</summary>
    public const int MaxData = 256 * 1024;

    /// <summary>A buffer for about that many bytes of data; may be smaller when more than <see cref="MaxData"/> is asked for.</summary>
    public static byte[] Rent(int data)
    {
        var sizeClass = 0;
        while (sizeClass < Sizes.Length - 1 && Sizes[sizeClass] - OutputBlock.HeaderBytes < data)
        {
            sizeClass++;
        }

        lock (Gate)
        {
            if (Free[sizeClass].TryPop(out var buffer))
            {
                return buffer;
            }
        }

        return GC.AllocateUninitializedArray<byte>(Sizes[sizeClass]);
    }

    /// <summary>Gives a buffer back.</summary>
    public static void Return(byte[] buffer)
    {
        var sizeClass = Array.IndexOf(Sizes, buffer.Length);
        lock (Gate)
        {
            if (sizeClass >= 0 && Free[sizeClass].Count < Kept)
            {
                Free[sizeClass].Push(buffer);
            }
        }
    }

    /// <summary>Lets the collector have what is kept; called when the last process has ended.</summary>
    public static void Trim()
    {
        lock (Gate)
        {
            Free[^1].Clear();
        }
    }
}
