using Vivarium.Host.Operations;
using Vivarium.Transport.JsonRpc;
using Vivarium.Wire.Host;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Daemon.Api;

internal sealed partial class ApiMethods
{
    private void AddTemplates(JsonRpcDispatcher dispatcher) => dispatcher
        .Method(HostMethod.TemplateList, HostJson.Default.Empty, HostJson.Default.TemplateList, async (_, _, token) => await host.Services.Templates.ListAsync(token).ConfigureAwait(false))
        .Method(HostMethod.TemplateGet, HostJson.Default.RefParams, HostJson.Default.TemplateInfo, async (p, _, token) => await host.Services.Templates.GetAsync(p.Ref, token).ConfigureAwait(false))
        .Method(HostMethod.TemplateBuild, HostJson.Default.BuildParams, HostJson.Default.TemplateInfo, async (p, call, token) =>
        {
            var operation = BeginBuild(p);
            await WaitAsync(operation, call, token).ConfigureAwait(false);
            return await operation.Result.ConfigureAwait(false);
        })
        .Method(HostMethod.BeginTemplateBuild, HostJson.Default.BuildParams, HostJson.Default.BeginReply, (p, _, _) => new(new BeginReply { OperationId = BeginBuild(p).Id }))
        .Method(HostMethod.TemplateImport, HostJson.Default.ImportParams, HostJson.Default.ImportReply, async (p, call, token) =>
        {
            var operation = BeginImport(p);
            await WaitAsync(operation, call, token).ConfigureAwait(false);
            return await operation.Result.ConfigureAwait(false);
        })
        .Method(HostMethod.BeginTemplateImport, HostJson.Default.ImportParams, HostJson.Default.BeginReply, (p, _, _) => new(new BeginReply { OperationId = BeginImport(p).Id }))
        .Method(HostMethod.TemplateExport, HostJson.Default.ExportParams, HostJson.Default.ExportReply, async (p, call, token) =>
        {
            var operation = BeginExport(p);
            await WaitAsync(operation, call, token).ConfigureAwait(false);
            return await operation.Result.ConfigureAwait(false);
        })
        .Method(HostMethod.BeginTemplateExport, HostJson.Default.ExportParams, HostJson.Default.BeginReply, (p, _, _) => new(new BeginReply { OperationId = BeginExport(p).Id }))
        .Method(HostMethod.TemplateTag, HostJson.Default.TagParams, HostJson.Default.TemplateInfo, async (p, _, token) =>
            await host.Services.Templates.TagAsync(p, token).ConfigureAwait(false))
        .Method(HostMethod.TemplateRemove, HostJson.Default.RemoveTemplateParams, HostJson.Default.Empty, async (p, _, token) =>
        {
            await host.Services.Templates.RemoveAsync(p.Ref, token).ConfigureAwait(false);
            return new Empty();
        });

    private Operation<TemplateInfo> BeginBuild(BuildParams p) => host.Services.Operations.Begin(HostMethod.TemplateBuild, async (operation, token) =>
    {
        var built = await host.Services.Templates.BuildAsync(p, operation, token).ConfigureAwait(false);
        operation.Made(built.Digest);
        host.Services.Events.Publish("template.built", message: $"{built.Name ?? p.Recipe} {built.Digest}");
        return built;
    });

    private Operation<ImportReply> BeginImport(ImportParams p) => host.Services.Operations.Begin(HostMethod.TemplateImport, async (operation, token) =>
    {
        var imported = await host.Services.Templates.ImportAsync(p, operation, token).ConfigureAwait(false);
        operation.Made(imported.Template.Digest);
        operation.Warn(imported.Warnings);
        host.Services.Events.Publish("template.imported", message: $"{imported.Template.Name} {imported.Template.Digest}");
        return imported;
    });

    private Operation<ExportReply> BeginExport(ExportParams p) => host.Services.Operations.Begin(HostMethod.TemplateExport, async (operation, token) =>
        await host.Services.Templates.ExportAsync(p, operation, token).ConfigureAwait(false));
}
