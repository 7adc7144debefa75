using Microsoft.Extensions.Logging.Abstractions;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Tests.Support;
using Vivarium.Wire.Errors;

namespace Vivarium.Host.Tests.Sandboxes;

public sealed class SandboxCatalogTests
{
    private readonly SandboxCatalog catalog = new();

    [Fact]
    public void A_reference_is_an_id_a_name_an_external_id_or_a_prefix_of_id_or_name()
    {
        var one = Add("alpha-one", "Ext.1");
        foreach (var reference in new[] { one.Record.Id.Value, "alpha-one", "Ext.1", "alpha", one.Record.Id.Value[..8] })
        {
            Assert.Same(one, catalog.Find(reference));
        }

        Assert.Null(catalog.Find("Ext"));
        Assert.Null(catalog.Find("beta"));
    }

    [Fact]
    public void An_ambiguous_prefix_names_its_candidates()
    {
        Add("alpha-one");
        Add("alpha-two");
        var error = Assert.Throws<VivariumException>(() => catalog.Get("alpha"));
        Assert.Equal("ambiguous_reference", error.Reason);
        Assert.Contains("alpha-one", error.Message, StringComparison.Ordinal);
        Assert.Contains("alpha-two", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_exact_name_wins_over_a_longer_one()
    {
        var exact = Add("alpha");
        Add("alpha-two");
        Assert.Same(exact, catalog.Get("alpha"));
    }

    [Fact]
    public void Names_and_external_ids_are_unique_until_removed()
    {
        var one = Add("one", "ext");
        Assert.Equal("name_taken", Assert.Throws<VivariumException>(() => Add("one")).Reason);
        Assert.Equal("external_id_taken", Assert.Throws<VivariumException>(() => Add("two", "ext")).Reason);
        catalog.Remove(one);
        Add("one", "ext");
    }

    [Fact]
    public void The_limit_is_a_limit()
    {
        catalog.Add("one", null, 1, Make);
        Assert.Equal("max_sandboxes", Assert.Throws<VivariumException>(() => catalog.Add("two", null, 1, Make)).Reason);
    }

    [Fact]
    public void Id_slots_are_the_smallest_free_ones()
    {
        var first = catalog.Add("one", null, 10, Make);
        Assert.Equal(0, first.Record.IdSlot);
        Assert.Equal(1, catalog.Add("two", null, 10, Make).Record.IdSlot);
        catalog.Remove(first);
        Assert.Equal(0, catalog.Add("three", null, 10, Make).Record.IdSlot);
    }

    [Fact]
    public void Unknown_and_malformed_references_are_told_apart()
    {
        Assert.Equal(ErrorCode.NotFound, Assert.Throws<VivariumException>(() => catalog.Get("nobody")).Code);
        Assert.Equal(ErrorCode.InvalidArgument, Assert.Throws<VivariumException>(() => catalog.Get("")).Code);
        Assert.Equal(ErrorCode.InvalidArgument, Assert.Throws<VivariumException>(() => catalog.Get(new string('x', 200))).Code);
    }

    [Fact]
    public async Task A_hundred_adds_of_one_name_at_once_make_one()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => Task.Run(() =>
        {
            try
            {
                Add("same");
                return 1;
            }
            catch (VivariumException)
            {
                return 0;
            }
        })));
        Assert.Equal(1, results.Sum());
    }

    private static Sandbox Make(string name, int slot) =>
        new(Records.Make(name) with { IdSlot = slot }, static (_, _) => Task.CompletedTask, static (_, _) => Task.CompletedTask, NullLogger.Instance);

    private Sandbox Add(string name, string? externalId = null) => catalog.Add(
        name,
        externalId,
        1000,
        (n, s) => new Sandbox(Records.Make(n) with { ExternalId = externalId, IdSlot = s }, static (_, _) => Task.CompletedTask, static (_, _) => Task.CompletedTask, NullLogger.Instance));
}
