using System.Security.Cryptography;

namespace Vivarium.Host.Naming;

/// <summary>Two-word names for sandboxes nobody named: a quality and something that grows or lives in a vivarium.</summary>
public static class NameGenerator
{
    private static readonly string[] Qualities =
    [
        "amber", "ample", "ancient", "azure", "balmy", "bold", "brave", "breezy", "brisk", "bronze", "calm", "candid", "cheery", "clear", "clever", "cobalt",
        "copper", "coral", "cosy", "crisp", "curious", "daring", "dewy", "eager", "early", "earthy", "easy", "even", "fair", "fleet", "fond", "fresh",
        "gentle", "gilded", "glad", "glossy", "golden", "grand", "green", "happy", "hardy", "hazel", "humble", "ivory", "jolly", "keen", "kind", "leafy",
        "light", "lively", "lofty", "loyal", "lucid", "lush", "mellow", "merry", "mild", "misty", "modest", "mossy", "neat", "nimble", "noble", "olive",
        "opal", "patient", "pearly", "placid", "plucky", "polite", "proud", "quick", "quiet", "rapid", "rosy", "ruby", "russet", "rustic", "serene", "shady",
        "sharp", "silent", "silver", "sleek", "smooth", "snug", "solar", "spry", "stable", "steady", "stout", "sunny", "swift", "tidy", "tranquil", "trusty",
        "velvet", "violet", "vivid", "warm", "wild", "willing", "windy", "wise", "witty", "young", "zesty",
    ];

    private static readonly string[] Things =
    [
        "acorn", "agave", "alder", "algae", "aloe", "anole", "aspen", "aster", "bamboo", "basil", "beetle", "birch", "bramble", "bromeliad", "cactus", "cedar",
        "chameleon", "cicada", "clover", "cricket", "crocus", "cypress", "daisy", "elm", "fern", "fig", "finch", "firefly", "foxglove", "frog", "gecko", "ginkgo",
        "grove", "heather", "heron", "hibiscus", "holly", "iguana", "iris", "ivy", "jasmine", "juniper", "kelp", "lagoon", "larch", "lichen", "lily", "linden",
        "lizard", "lotus", "mallow", "maple", "meadow", "mimosa", "moss", "moth", "myrtle", "nettle", "newt", "oak", "orchid", "osier", "otter", "palm",
        "papaya", "peony", "pine", "pond", "poplar", "poppy", "quince", "reed", "robin", "rosemary", "rowan", "rush", "saffron", "sage", "salamander", "sedge",
        "skink", "snail", "sorrel", "spruce", "sprout", "stream", "sundew", "sycamore", "tamarind", "thicket", "thistle", "thyme", "toad", "tortoise", "tulip", "turtle",
        "vine", "violet", "walnut", "willow", "wisteria", "wren", "yarrow", "yew", "zinnia",
    ];

    /// <summary>A name that <paramref name="taken"/> does not know; a number is added when the words run out.</summary>
    public static string Next(Func<string, bool> taken)
    {
        for (var attempt = 0; ; attempt++)
        {
            var name = Pick(Qualities) + "-" + Pick(Things);
            if (attempt >= 8)
            {
                name += "-" + RandomNumberGenerator.GetInt32(2, 10_000).ToString(System.Globalization.CultureInfo.InvariantCulture);
            }

            if (!taken(name))
            {
                return name;
            }
        }
    }

    private static string Pick(string[] words) => words[RandomNumberGenerator.GetInt32(words.Length)];
}
