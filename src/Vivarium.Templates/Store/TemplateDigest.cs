using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Vivarium.Linux.Trees;

namespace Vivarium.Templates.Store;

/// <summary>
/// Digest of a root file system: SHA-256 over a listing of every entry in the order of its path's bytes (type, mode, owner, size, content hash or link target
/// or device, extended attributes), followed by the metadata. Times do not count; hard links count as files of equal content.
/// </summary>
internal static class TemplateDigest
{
    private const string Format = "vivarium-template-1\n";
    private const int MaximumDepth = 200;
    private const int BufferBytes = 256 * 1024;

    internal readonly record struct Result(string Digest, long SizeBytes, long Entries);

    /// <summary>Reads everything once; files are hashed by two threads at a time.</summary>
    internal static Result Compute(string root, TemplateMetadata metadata, CancellationToken cancellationToken)
    {
        var entries = new List<Entry>();
        using (var top = TreeDirectory.Open(root))
        {
            Collect(top, [], 0, entries, cancellationToken);
        }

        var hashes = HashFiles(root, entries, cancellationToken);
        var index = 0;
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha.AppendData(Encoding.UTF8.GetBytes(Format));
        long size = 0;
        foreach (var entry in entries)
        {
            var status = entry.Status;
            size += status.IsRegular ? status.Size : 0;
            sha.AppendData(entry.Path);
            sha.AppendData(Line($"\0{status.Type:x} {Convert.ToString(status.Mode & 0xFFF, 8)} {status.Uid} {status.Gid} "));
            sha.AppendData(
                status.IsRegular ? hashes[index]
                : status.IsLink ? entry.Target
                : Line($"{status.NodeDevice}"));
            foreach (var (name, value) in entry.Attributes)
            {
                sha.AppendData(name);
                sha.AppendData(Line($"{value.Length} "));
                sha.AppendData(value);
            }

            sha.AppendData("\n"u8);
            index++;
        }

        sha.AppendData(Line($"user {metadata.User}\nworkdir {metadata.Workdir}\n"));
        foreach (var (name, value) in metadata.Env)
        {
            // A value with a line end gets a form of its own, so that it cannot pass for two.
            sha.AppendData(Encoding.UTF8.GetBytes(
                value.Contains('\n') || name.Contains('\n') ? $"env64 {Base64(name)}={Base64(value)}\n" : $"env {name}={value}\n"));
        }

        AppendImage(sha, metadata);

        return new Result(TemplateRecord.DigestPrefix + Convert.ToHexStringLower(sha.GetHashAndReset()), size, entries.Count);
    }

    /// <summary>What only imported images have; nothing for the others, so that their digests stay what they were.</summary>
    private static void AppendImage(IncrementalHash sha, TemplateMetadata metadata)
    {
        foreach (var word in metadata.Entrypoint ?? [])
        {
            sha.AppendData(Line($"entrypoint {Base64(word)}\n"));
        }

        foreach (var word in metadata.Command ?? [])
        {
            sha.AppendData(Line($"command {Base64(word)}\n"));
        }

        foreach (var (name, value) in metadata.Labels)
        {
            sha.AppendData(Line($"label {Base64(name)}={Base64(value)}\n"));
        }

        foreach (var port in metadata.ExposedPorts ?? [])
        {
            sha.AppendData(Line($"port {Base64(port)}\n"));
        }
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static byte[] Line(FormattableString text) => Encoding.UTF8.GetBytes(text.ToString(CultureInfo.InvariantCulture));

    private static void Collect(TreeDirectory directory, byte[] path, int depth, List<Entry> entries, CancellationToken cancellationToken)
    {
        if (depth > MaximumDepth)
        {
            throw new InvalidDataException($"the template has directories deeper than {MaximumDepth}");
        }

        foreach (var name in directory.Names())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (directory.Status(name) is not { } status)
            {
                continue;
            }

            byte[] child = [.. path, (byte)'/', .. name.AsSpan(0, name.Length - 1)];
            entries.Add(new Entry(child, status, status.IsLink ? directory.ReadLink(name) : [], directory.Attributes(name)));
            if (status.IsDirectory)
            {
                using var inner = directory.OpenChild(name);
                Collect(inner, child, depth + 1, entries, cancellationToken);
            }
        }
    }

    private static byte[][] HashFiles(string root, List<Entry> entries, CancellationToken cancellationToken)
    {
        var hashes = new byte[entries.Count][];
        var options = new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = cancellationToken };
        Parallel.For(0, entries.Count, options, index =>
        {
            var entry = entries[index];
            if (!entry.Status.IsRegular)
            {
                return;
            }

            using var top = TreeDirectory.Open(root);
            var slash = Array.LastIndexOf(entry.Path, (byte)'/');
            using var parent = top.OpenBeneath(slash == 0 ? [] : entry.Path[1..slash]);
            using var file = parent.OpenFile([.. entry.Path.AsSpan(slash + 1), 0]);
            using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
            try
            {
                long position = 0;
                while (RandomAccess.Read(file, buffer, position) is var read and > 0)
                {
                    sha.AppendData(buffer, 0, read);
                    position += read;
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }

            hashes[index] = sha.GetHashAndReset();
        });
        return hashes;
    }

    private sealed record Entry(byte[] Path, EntryStatus Status, byte[] Target, List<(byte[] Name, byte[] Value)> Attributes);
}
