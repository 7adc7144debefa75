using System.Text;
using Vivarium.Cli.Interop;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Cli.Parsing;

/// <summary>Secrets from our environment, a file or standard input; never from the command line itself, which every user of the machine can read.</summary>
internal static class SecretFlags
{
    private const int MaxBytes = 512 * 1024;

    public static IReadOnlyList<InjectSecretPayload>? Read(string[]? words, int input)
    {
        if (words is not { Length: > 0 })
        {
            return null;
        }

        if (words.Count(word => word.EndsWith("=-", StringComparison.Ordinal)) > 1)
        {
            throw Invocation.Usage("--secret: standard input holds one secret, not several");
        }

        return [.. words.Select(word => ReadOne(word, input))];
    }

    private static InjectSecretPayload ReadOne(string word, int input)
    {
        var equals = word.IndexOf('=', StringComparison.Ordinal);
        var name = equals < 0 ? word : word[..equals];
        var source = equals < 0 ? $"env:{name}" : word[(equals + 1)..];
        if (name.Length == 0 || name is "." or ".." || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.'))
        {
            throw Invocation.Usage("--secret: a name is made of letters, digits, '_', '-' and '.'");
        }

        return new InjectSecretPayload { Name = name, Value = Value(name, source, input) };
    }

    private static string Value(string name, string source, int input)
    {
        if (source == "-")
        {
            return StandardInput(input);
        }

        if (source.StartsWith("env:", StringComparison.Ordinal))
        {
            return Environment.GetEnvironmentVariable(source[4..])
                ?? throw new VivariumException(ErrorCode.NotFound, $"--secret {name}: the environment variable {source[4..]} is not set", "set it, or use file:PATH or -");
        }

        if (source.StartsWith("file:", StringComparison.Ordinal))
        {
            return FromFile(name, source[5..]);
        }

        throw Invocation.Usage(
            $"--secret {name}: a value on the command line can be read by every user of this machine, so it is refused",
            $"use --secret {name} (our variable {name}), {name}=env:VAR, {name}=file:PATH, or {name}=- for standard input");
    }

    private static string FromFile(string name, string path)
    {
        try
        {
            return new FileInfo(path).Length <= MaxBytes
                ? File.ReadAllText(path)
                : throw new VivariumException(ErrorCode.InvalidArgument, $"--secret {name}: {path} is larger than 512 KiB");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VivariumException(ErrorCode.NotFound, $"--secret {name}: {path} cannot be read", "check the path and its permissions", inner: e);
        }
    }

    private static string StandardInput(int input)
    {
        var bytes = new byte[MaxBytes + 1];
        var length = 0;
        while (length < bytes.Length && Fd.Read(input, bytes.AsSpan(length)) is var count and > 0)
        {
            length += count;
        }

        return length <= MaxBytes
            ? Encoding.UTF8.GetString(bytes, 0, length).TrimEnd('\n')
            : throw new VivariumException(ErrorCode.InvalidArgument, "--secret: standard input is larger than 512 KiB");
    }
}
