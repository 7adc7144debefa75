using System.Buffers;

namespace Vivarium.Transport.Yamux;

/// <summary>
/// Arrays for received payloads. Few sizes and few kept, unlike the shared pool of the class library, which after a gibibyte of frames of all
/// sizes held on to tens of megabytes for ever. Small ones come from there.
/// </summary>
internal static class PiecePool
{
    /// <summary>Largest array, in bytes.</summary>
    public const int MaxSize = 256 * 1024;

    /// <summary>Kept of each size: two full windows of a stream's largest pieces are under way at most when a transfer runs smoothly.</summary>
    private const int Kept = 16;

    private const int SmallestSize = 32 * 1024;

    private static readonly int[] Sizes = [SmallestSize, 96 * 1024, MaxSize];
    private static readonly Stack<byte[]>[] Free = [new(), new(), new()];
    private static readonly Lock Gate = new();

    /// <summary>An array of at least this many bytes, at most <see cref="MaxSize"/>.</summary>
    public static byte[] Rent(int size)
    {
        if (size <= SmallestSize / 2)
            return ArrayPool<byte>.Shared.Rent(size);
        var at = 0;
        while (Sizes[at] < size)
            at++;
        lock (Gate)
        {
            if (Free[at].TryPop(out var array))
                return array;
        }

        return GC.AllocateUninitializedArray<byte>(Sizes[at]);
    }

    /// <summary>Gives an array back, whichever of the two pools it came from.</summary>
    public static void Return(byte[] array)
    {
        var at = Array.IndexOf(Sizes, array.Length);
        if (at < 0)
        {
            ArrayPool<byte>.Shared.Return(array);
            return;
        }

        lock (Gate)
        {
            if (Free[at].Count < Kept)
                Free[at].Push(array);
        }
    }

    /// <summary>Lets the collector have what is kept.</summary>
    public static void Trim()
    {
        lock (Gate)
        {
            foreach (var stack in Free)
                stack.Clear();
        }
    }
}
