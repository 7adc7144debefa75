using System.CommandLine;
using Microsoft.Win32.SafeHandles;
using Vivarium.Cli.Daemon;
using Vivarium.Cli.Interop;
using Vivarium.Cli.Parsing;
using Vivarium.Linux.IO;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Cli.Commands;

/// <summary><c>viv template export</c>. The daemon writes into what is open here, so files are made with the caller's rights.</summary>
internal sealed class TemplateExportCommand : Verb
{
    private const int ChunkBytes = 256 * 1024;

    private readonly Argument<string> _template = Opt.One("TEMPLATE", "name or digest");
    private readonly Option<string> _output = Opt.Text("--output", "FILE", "file to write; default standard output", "-o");
    private readonly Option<string> _format = Opt.Text("--format", "WORD", "oci (default), docker, or tar: the files alone");
    private readonly Option<bool> _quiet = Opt.Flag("--quiet", "no progress", "-q");

    public TemplateExportCommand()
        : base("export", "Writes a template as an archive: the same bytes each time, not compressed.")
    {
        Arguments.Add(_template);
        foreach (var option in new Option[] { _output, _format, _quiet })
        {
            Options.Add(option);
        }
    }

    public static Verb Make() => new TemplateExportCommand
    {
        Usage = "[flags] TEMPLATE",
        Examples =
        [
            ("viv template export base -o base.tar", "an OCI layout, for 'viv template import' elsewhere"),
            ("viv template export base --format docker | docker load", "into Docker"),
            ("viv template export base --format tar | zstd > base.tar.zst", "the files, compressed"),
        ],
    };

    public override int Run(Invocation call)
    {
        var (template, format, file) = (call.Get(_template)!, call.Get(_format) ?? "oci", call.Get(_output));
        if (format is not ("oci" or "docker" or "tar"))
        {
            throw Invocation.Usage($"--format '{format}' is not known", "use oci, docker or tar");
        }

        if (file is null or "-")
        {
            return ToOutput(call, template, format);
        }

        var path = Path.GetFullPath(file);
        var partial = $"{path}.partial-{Environment.ProcessId}";
        try
        {
            using (var target = File.OpenHandle(partial, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite))
            {
                Export(call, template, format, target);
            }

            File.Move(partial, path, overwrite: true);
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"{file} cannot be written: {e.Message}", "name a file in a directory you may write to", inner: e);
        }
        finally
        {
            if (File.Exists(partial))
            {
                File.Delete(partial);
            }
        }
    }

    /// <summary>Through a pipe of our own: whatever standard output is, a socket too, the daemon finds a pipe.</summary>
    private int ToOutput(Invocation call, string template, string format)
    {
        if (Posix.isatty(call.Stdio.Output) == 1)
        {
            throw Invocation.Usage("an archive is not written to a terminal", "name a file with -o, or redirect the output");
        }

        var (reading, writing) = Pipe.Create();
        var whole = true;
        var pump = new Thread(() =>
        {
            var buffer = new byte[ChunkBytes];
            while (Fd.Read((int)reading.DangerousGetHandle(), buffer) is var count and > 0)
            {
                if (!Fd.WriteAll(call.Stdio.Output, buffer.AsSpan(0, count)))
                {
                    whole = false;
                    break;
                }
            }

            reading.Dispose();
        })
        { IsBackground = true, Name = "export" };
        pump.Start();
        try
        {
            Export(call, template, format, writing);
        }
        catch (RemoteException) when (!whole)
        {
            return 128 + 13; // nobody reads any more: as any program in a pipeline
        }
        finally
        {
            writing.Dispose();
            pump.Join();
        }

        return whole ? 0 : 128 + 13;
    }

    private void Export(Invocation call, string template, string format, SafeFileHandle target)
    {
        using var host = call.Connect();
        var parameters = new ExportParams { Ref = template, Format = format, Path = TemplateOperation.PathOf(target.DangerousGetHandle()) };
        TemplateOperation.Run(call, host, HostMethod.BeginTemplateExport, parameters, HostJson.Default.ExportParams, $"exporting template {template}", call.Get(_quiet));
    }
}
