using System.CommandLine;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Output;
using Vivarium.Cli.Parsing;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv template import</c>. An interrupt cancels the import; nothing of it stays.</summary>
internal sealed class TemplateImportCommand : Verb
{
    private const int ChunkBytes = 256 * 1024;
    private static readonly string[] Endings = [".gz", ".tgz", ".zst", ".tar"];

    private readonly Argument<string> _path = Opt.One("PATH", "directory, tar archive, OCI layout or 'docker save' file; - is standard input");
    private readonly Option<string> _name = Opt.Text("--name", "NAME", "name to give it; default the file's, without .tar and the like");
    private readonly Option<string> _image = Opt.Text("--image", "NAME", "which image, when several are in it");
    private readonly Option<string> _platform = Opt.Text("--platform", "OS/ARCH", "which platform of an image; default linux/amd64");
    private readonly Option<string> _user = Opt.Text("--user", "USER", "default user, instead of the image's", "-u");
    private readonly Option<string> _workdir = Opt.Text("--workdir", "DIR", "default directory, instead of the image's", "-w");
    private readonly Option<string[]> _env = Opt.Many("--env", "K[=V]", "environment, over the image's", "-e");
    private readonly Option<bool> _replace = Opt.Flag("--replace", "a name that is taken then means the new template");
    private readonly Option<bool> _quiet = Opt.Flag("--quiet", "no progress", "-q");
    private readonly Option<bool> _json = Opt.Json();

    public TemplateImportCommand()
        : base("import", "Makes a template of files or an image; prints its digest.")
    {
        Arguments.Add(_path);
        foreach (var option in new Option[] { _name, _image, _platform, _user, _workdir, _env, _replace, _quiet, _json })
        {
            Options.Add(option);
        }
    }

    public static Verb Make() => new TemplateImportCommand
    {
        Usage = "[flags] PATH",
        Examples =
        [
            ("viv template import ./rootfs --name mine", "a directory"),
            ("docker save app:1 | viv template import - --name app", "an image from Docker"),
            ("viv template import layout.tar --name app --platform linux/arm64", "one platform of an OCI layout"),
        ],
    };

    public override int Run(Invocation call)
    {
        var path = call.Get(_path)!;
        var name = call.Get(_name) ?? NameFrom(path);
        using var spool = path == "-" ? Spool(call, call.Get(_quiet)) : null;
        var parameters = new ImportParams
        {
            Path = spool is null ? Path.GetFullPath(path) : TemplateOperation.PathOf(spool.SafeFileHandle.DangerousGetHandle()),
            Name = name,
            Image = call.Get(_image),
            Platform = call.Get(_platform),
            User = call.Get(_user),
            Workdir = call.Get(_workdir),
            Env = EnvironmentFlags.Read(call.Get(_env), null),
            Replace = call.Get(_replace),
        };
        using var host = call.Connect();
        var ended = TemplateOperation.Run(call, host, HostMethod.BeginTemplateImport, parameters, HostJson.Default.ImportParams, $"importing template {name}", call.Get(_quiet));
        var template = host.Call(HostMethod.TemplateGet, new RefParams { Ref = name }, HostJson.Default.RefParams, HostJson.Default.TemplateInfo);
        if (call.Json)
        {
            JsonOut.Print(call.Output, new ImportReply { Template = template, Warnings = ended.Warnings ?? [] }, HostJson.Default.ImportReply);
            return 0;
        }

        foreach (var warning in ended.Warnings ?? [])
        {
            call.Messages.Line($"viv: {Style.Safe(warning)}");
        }

        call.Messages.Flush();
        call.Output.Line(template.Digest);
        return 0;
    }

    /// <summary>The name of a file or directory, never rewritten: what is no template name has to be named by --name.</summary>
    private static string NameFrom(string path)
    {
        var name = path == "-" ? "" : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        foreach (var ending in Endings)
        {
            name = name.EndsWith(ending, StringComparison.Ordinal) ? name[..^ending.Length] : name;
        }

        return name.Length is > 0 and <= 63 && name[0] != '-' && name[^1] != '-' && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')
            ? name
            : throw Invocation.Usage("the template needs a name", "give one with --name: a-z, 0-9 and '-'");
    }

    /// <summary>Standard input in a nameless file: an image is read in no order. It is gone with us, however we end.</summary>
    private static FileStream Spool(Invocation call, bool quiet)
    {
        if (Posix.isatty(call.Stdio.Input) == 1)
        {
            throw Invocation.Usage("standard input is a terminal", "redirect an archive: viv template import - --name NAME < FILE");
        }

        var path = Path.Combine(Path.GetTempPath(), $"viv-import-{Environment.ProcessId}-{Guid.NewGuid():N}");
        FileStream? file = null;
        try
        {
            file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            File.Delete(path);
            using var progress = new Progress(call.Messages, "reading standard input", quiet);
            var buffer = new byte[ChunkBytes];
            long total = 0;
            while (Fd.Read(call.Stdio.Input, buffer) is var read and not 0)
            {
                if (read < 0)
                {
                    Fd.Wait(call.Stdio.Input, Posix.POLLIN, 100);
                    continue;
                }

                file.Write(buffer, 0, read);
                progress.Report($"reading standard input: {Humanize.Bytes(total += read)}", null);
            }

            return file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            throw new VivariumException(ErrorCode.ResourceExhausted, $"standard input could not be kept in {Path.GetTempPath()}: {e.Message}", "set TMPDIR to a directory with room", inner: e);
        }
    }
}
