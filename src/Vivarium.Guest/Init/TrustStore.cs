using System.Text;
using Vivarium.Linux.Files;

namespace Vivarium.Guest.Init;

/// <summary>
/// The certificate authorities of the host's owner, made trusted in the sandbox: as files <c>update-ca-certificates</c> takes up, in the bundle that OpenSSL
/// and GnuTLS read, and through variables for programs that bring a bundle of their own. Done anew at every start, so that it follows the configuration
/// of the host; what was added by an earlier start is taken out first.
/// </summary>
internal static class TrustStore
{
    private const string Bundle = "/etc/ssl/certs/ca-certificates.crt";
    private const string LocalDirectory = "/usr/local/share/ca-certificates";
    private const string LocalPrefix = "vivarium-host-";
    private const string Mark = "# --- authorities of the Vivarium host ---";
    private const string EndMark = "# --- end of the authorities of the Vivarium host ---";
    private const string Begin = "-----BEGIN CERTIFICATE-----";
    private const string End = "-----END CERTIFICATE-----";
    private const long MostBundleBytes = 8 * 1024 * 1024;

    /// <summary>Variables that point programs with a bundle of their own to the sandbox's: OpenSSL's users, Node, Python's requests and pip.</summary>
    public static IReadOnlyDictionary<string, string> Variables { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["SSL_CERT_FILE"] = Bundle,
        ["NODE_EXTRA_CA_CERTS"] = Bundle,
        ["REQUESTS_CA_BUNDLE"] = Bundle,
    };

    /// <summary>Trusts these, or with null takes those of an earlier start out. A file system that does not let it is said on the console and stops nothing.</summary>
    public static void Apply(string? pem)
    {
        try
        {
            // The usual case costs a look at one directory: without the files of an earlier start there is nothing to take out.
            if (pem is null && (!Directory.Exists(LocalDirectory) || !Directory.EnumerateFiles(LocalDirectory, LocalPrefix + "*.crt").Any()))
            {
                return;
            }

            var certificates = Certificates(pem ?? "");
            WriteBundle(certificates);
            WriteLocal(certificates);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or Linux.LinuxException)
        {
            ConsoleLog.Write($"the host's certificate authorities are not trusted here: {e.Message}");
        }
    }

    /// <summary>The certificates of a PEM text, each with its own first and last line.</summary>
    internal static List<string> Certificates(string pem)
    {
        var found = new List<string>();
        for (var at = 0; (at = pem.IndexOf(Begin, at, StringComparison.Ordinal)) >= 0;)
        {
            var end = pem.IndexOf(End, at, StringComparison.Ordinal);
            if (end < 0)
            {
                break;
            }

            found.Add(pem[at..(end + End.Length)] + "\n");
            at = end + End.Length;
        }

        return found;
    }

    /// <summary>The bundle without what an earlier start added, and with what is not in it yet.</summary>
    internal static string Merge(string bundle, IReadOnlyList<string> certificates)
    {
        var start = bundle.IndexOf(Mark, StringComparison.Ordinal);
        var end = bundle.IndexOf(EndMark, StringComparison.Ordinal);
        var clean = start >= 0 && end > start ? bundle[..start] + bundle[(end + EndMark.Length)..].TrimStart('\n') : bundle;
        var added = certificates.Where(certificate => !clean.Contains(certificate.TrimEnd('\n'), StringComparison.Ordinal)).ToList();
        return added.Count == 0 ? clean
            : $"{clean}{(clean.Length == 0 || clean.EndsWith('\n') ? "" : "\n")}{Mark}\n{string.Concat(added)}{EndMark}\n";
    }

    private static void WriteLocal(List<string> certificates)
    {
        Directory.CreateDirectory(LocalDirectory);
        for (var i = 0; i < certificates.Count; i++)
        {
            Replace($"{LocalDirectory}/{LocalPrefix}{i + 1}.crt", certificates[i]);
        }

        foreach (var old in Directory.EnumerateFiles(LocalDirectory, LocalPrefix + "*.crt"))
        {
            if (!int.TryParse(Path.GetFileNameWithoutExtension(old).AsSpan(LocalPrefix.Length), out var number) || number < 1 || number > certificates.Count)
            {
                File.Delete(old);
            }
        }
    }

    private static void WriteBundle(List<string> certificates)
    {
        var status = FileStatus.Find(Bundle);
        if (status is null && certificates.Count == 0)
        {
            return;
        }

        // The sandbox may have put anything there: a pipe would be waited for, a huge file held in memory.
        if (status is { } there && (there.Kind != FileKind.Regular || there.Size > MostBundleBytes))
        {
            throw new IOException($"{Bundle} is not an ordinary file");
        }

        var before = status is null ? "" : File.ReadAllText(Bundle);
        var after = Merge(before, certificates);
        if (after != before)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Bundle)!);
            Replace(Bundle, after);
        }
    }

    /// <summary>Whole or not at all: a start cut short must not leave a bundle that trusts nobody.</summary>
    private static void Replace(string path, string text)
    {
        var temporary = path + ".vivarium-new";
        File.Delete(temporary);
        using (var file = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
        }))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
        }

        File.Move(temporary, path, overwrite: true);
    }
}
