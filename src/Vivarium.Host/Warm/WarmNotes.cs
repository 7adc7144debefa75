using System.Text.Json;
using Vivarium.Host.Naming;
using Vivarium.Host.Sandboxes;
using Vivarium.Linux.Files;

namespace Vivarium.Host.Warm;

/// <summary>
/// What a later daemon needs to know of a sandbox made ahead, in its runtime directory: written when it is ready, and taken away before it is given to anybody. So one with a
/// note is as nobody has touched it; one without belongs to a record or to nobody.
/// </summary>
internal sealed class WarmNotes(HostPaths paths)
{
    private const string Name = "warm.json";

    /// <summary>Says that it is ready.</summary>
    public void Write(WarmNote note) => AtomicFile.Write(
        PathOf(note.Record.Id), JsonSerializer.SerializeToUtf8Bytes(note, StateJson.Default.WarmNote), UnixFileMode.UserRead | UnixFileMode.UserWrite);

    /// <summary>Says that it is somebody's.</summary>
    public void Remove(SandboxId id)
    {
        try
        {
            File.Delete(PathOf(id));
        }
        catch (DirectoryNotFoundException)
        {
            // It is gone already.
        }
    }

    /// <summary>Those the last daemon left; what cannot be read is nobody's and is reclaimed as such.</summary>
    public IReadOnlyList<WarmNote> All()
    {
        var found = new List<WarmNote>();
        foreach (var directory in Directory.EnumerateDirectories(paths.Runtime))
        {
            if (SandboxId.TryParse(Path.GetFileName(directory), out var id) && Read(id) is { } note && note.Record.Id == id)
            {
                found.Add(note);
            }
        }

        return found;
    }

    private WarmNote? Read(SandboxId id)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(PathOf(id)), StateJson.Default.WarmNote);
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private string PathOf(SandboxId id) => Path.Combine(paths.Supervisor(id).Directory, Name);
}

/// <summary>A sandbox that is ready.</summary>
internal sealed record WarmNote(WarmShape Shape, SandboxRecord Record);
