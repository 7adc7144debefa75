namespace Vivarium.Wire.Guest;

/// <summary>
/// A request on the files port: one JSON line. Where an operation carries content (either way) it follows as chunks, each
/// u32 big-endian length + bytes, ended by a zero length; after content the guest sends one more <see cref="FileReply"/> line
/// that says whether all of it worked. Content in (write, archive_in): the client sends it right behind the request without waiting, and the
/// guest answers with exactly one line, at the end or, with an error, earlier (it may then end the connection). Content out (read, archive_out): one
/// line with <c>content</c> true (or an error and nothing else), the chunks, the closing line. A connection may carry many requests one after another; <c>watch</c> ends only
/// with the connection.
/// </summary>
/// <remarks>
/// Operations: <c>stat</c>, <c>list</c> (Depth), <c>read</c> (Offset, Length; content out), <c>write</c> (content in; atomic replace; Mode, Owner,
/// Parents), <c>mkdir</c> (Parents, Mode), <c>move</c> (To, Replace), <c>remove</c> (Recursive), <c>chmod</c>, <c>chown</c>, <c>symlink</c> (To = target),
/// <c>getxattr</c>/<c>setxattr</c>/<c>listxattr</c>, <c>archive_in</c> (tar content in, unpacked below Path), <c>archive_out</c> (tar content out; Paths relative to Path),
/// <c>watch</c> (Recursive; answers one FileReply line, then a <see cref="FileEvent"/> line per change), <c>find</c> (Pattern), <c>grep</c> (Pattern, Regex).
/// Paths are absolute, or relative to the user's home; they are resolved in the guest with the rights of <see cref="User"/>.
/// </remarks>
public sealed record FileRequest
{
    /// <summary>Longest request line, in bytes.</summary>
    public const int MaxLineBytes = 1024 * 1024;

    /// <summary>Longest content chunk, in bytes.</summary>
    public const int MaxChunkBytes = 1024 * 1024;

    /// <summary>The operation.</summary>
    public required string Op { get; init; }

    /// <summary>What it is about.</summary>
    public required string Path { get; init; }

    /// <summary>As whom; default the sandbox's default user.</summary>
    public string? User { get; init; }

    /// <summary>Second path: target of a move, content of a symbolic link.</summary>
    public string? To { get; init; }

    /// <summary>archive_out: what to pack, relative to <see cref="Path"/>; absent = everything below it.</summary>
    public IReadOnlyList<string>? Paths { get; init; }

    /// <summary>Unix mode, decimal.</summary>
    public int? Mode { get; init; }

    /// <summary><c>user</c>, <c>uid</c>, <c>user:group</c> or <c>uid:gid</c>.</summary>
    public string? Owner { get; init; }

    /// <summary>Make missing parent directories.</summary>
    public bool Parents { get; init; }

    /// <summary>Whole trees; watch: below as well.</summary>
    public bool Recursive { get; init; }

    /// <summary>move: replace an existing target.</summary>
    public bool Replace { get; init; }

    /// <summary>Do not follow a symbolic link at the end of the path.</summary>
    public bool NoFollow { get; init; }

    /// <summary>list: levels, 1 = only the directory's own entries (default).</summary>
    public int? Depth { get; init; }

    /// <summary>read: first byte.</summary>
    public long? Offset { get; init; }

    /// <summary>read: at most so many bytes.</summary>
    public long? Length { get; init; }

    /// <summary>find: shell pattern; grep: text or expression.</summary>
    public string? Pattern { get; init; }

    /// <summary>find: a pattern with a slash fits the whole path below the start, where <c>*</c> stays within a name and <c>**</c> stands for any number of directories.</summary>
    public bool WholePath { get; init; }

    /// <summary>grep: only files that fit this pattern, read as with <see cref="WholePath"/>.</summary>
    public string? Include { get; init; }

    /// <summary>find, grep: names of directories not to be gone into; of find they are not shown either.</summary>
    public IReadOnlyList<string>? Except { get; init; }

    /// <summary>grep: the pattern is a regular expression.</summary>
    public bool Regex { get; init; }

    /// <summary>list, find, grep: at most so many results (default 10 000).</summary>
    public int? Limit { get; init; }

    /// <summary>xattr: attribute name.</summary>
    public string? Name { get; init; }

    /// <summary>setxattr: value, base64.</summary>
    public string? Value { get; init; }

    /// <summary>archive_in: keep the owners stored in the archive (needs root); otherwise everything belongs to <see cref="User"/>.</summary>
    public bool KeepOwners { get; init; }
}

/// <summary>Answer to a file request.</summary>
public sealed record FileReply
{
    /// <summary>Why not; absent on success.</summary>
    public Errors.ErrorInfo? Error { get; init; }

    /// <summary>stat, write, mkdir, move: the entry now.</summary>
    public FileEntry? Entry { get; init; }

    /// <summary>list, find: the entries.</summary>
    public IReadOnlyList<FileEntry>? Entries { get; init; }

    /// <summary>grep: the matches.</summary>
    public IReadOnlyList<FileMatch>? Matches { get; init; }

    /// <summary>The limit cut the results short.</summary>
    public bool Truncated { get; init; }

    /// <summary>Content chunks follow.</summary>
    public bool Content { get; init; }

    /// <summary>getxattr: base64; listxattr: names separated by newlines, base64.</summary>
    public string? Value { get; init; }

    /// <summary>After content: bytes moved.</summary>
    public long? Bytes { get; init; }
}

/// <summary>A file, directory, link or other entry.</summary>
public sealed record FileEntry
{
    /// <summary>Last part of the path.</summary>
    public required string Name { get; init; }

    /// <summary>Absolute path.</summary>
    public required string Path { get; init; }

    /// <summary><c>file, dir, symlink, fifo, socket, char, block</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Bytes.</summary>
    public required long Size { get; init; }

    /// <summary>Permission bits (07777), decimal.</summary>
    public required int Mode { get; init; }

    /// <summary>Owner.</summary>
    public required int Uid { get; init; }

    /// <summary>Group.</summary>
    public required int Gid { get; init; }

    /// <summary>Owner's name, where known.</summary>
    public string? User { get; init; }

    /// <summary>Group's name, where known.</summary>
    public string? Group { get; init; }

    /// <summary>Last change of the content, nanoseconds since the Unix epoch.</summary>
    public required long ModifiedUnixNs { get; init; }

    /// <summary>Where a symbolic link points.</summary>
    public string? Target { get; init; }
}

/// <summary>One line found by grep.</summary>
public sealed record FileMatch
{
    /// <summary>Absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Line number from 1.</summary>
    public required int Line { get; init; }

    /// <summary>The line, cut at 2000 characters.</summary>
    public required string Text { get; init; }
}

/// <summary>One change seen by watch.</summary>
public sealed record FileEvent
{
    /// <summary><c>create, write, remove, rename, chmod, overflow</c>; overflow means: events were lost, look again.</summary>
    public required string Type { get; init; }

    /// <summary>Path relative to the watched directory.</summary>
    public required string Path { get; init; }

    /// <summary>Whether it is a directory.</summary>
    public bool Dir { get; init; }
}

/// <summary>First line on the forward port; the guest answers <c>{}</c> or <c>{"error":…}</c> on a line, then raw bytes with half-close.</summary>
public sealed record ForwardRequest
{
    /// <summary>Address inside the sandbox; default 127.0.0.1.</summary>
    public string? Address { get; init; }

    /// <summary>TCP port, or 0 when <see cref="Unix"/> is given.</summary>
    public int Port { get; init; }

    /// <summary>Path of a Unix socket inside the sandbox instead.</summary>
    public string? Unix { get; init; }
}
