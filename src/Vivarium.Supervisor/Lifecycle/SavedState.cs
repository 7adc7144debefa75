using System.Text.Json;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Supervisor.Lifecycle;

/// <summary>The supervisor's own file beside saved memory.</summary>
internal static class SavedState
{
    private const string Name = "sandbox.json";
    private const int MaxBytes = 1024 * 1024;

    /// <summary>Writes it, durably.</summary>
    public static void Write(string directory, SavedSandbox state)
    {
        using var file = new FileStream(Path.Combine(directory, Name), new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(JsonSerializer.SerializeToUtf8Bytes(state, SupervisorJson.Default.SavedSandbox));
        file.Flush(flushToDisk: true);
    }

    /// <summary>Reads it.</summary>
    /// <exception cref="VivariumException">not_found: the directory holds no saved sandbox, or half of one.</exception>
    public static SavedSandbox Read(string directory)
    {
        var path = Path.Combine(directory, Name);
        try
        {
            if (new FileInfo(path).Length <= MaxBytes && JsonSerializer.Deserialize(File.ReadAllBytes(path), SupervisorJson.Default.SavedSandbox) is { } state)
            {
                return state;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw Missing(directory, e);
        }

        throw Missing(directory, null);
    }

    private static VivariumException Missing(string directory, Exception? cause) =>
        new(ErrorCode.NotFound, $"cannot restore the sandbox: {directory} holds no saved sandbox", reason: "no_memory_image", inner: cause);
}
