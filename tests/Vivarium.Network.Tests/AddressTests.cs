using System.Net;
using Vivarium.Network.Addressing;
using Vivarium.Wire.Errors;

namespace Vivarium.Network.Tests;

/// <summary>Ranges and the pool addresses come from.</summary>
public sealed class AddressTests
{
    [Theory]
    [InlineData("10.0.0.0/8", "10.255.255.255", true)]
    [InlineData("10.0.0.0/8", "11.0.0.0", false)]
    [InlineData("172.16.0.0/12", "172.31.255.255", true)]
    [InlineData("172.16.0.0/12", "172.32.0.0", false)]
    [InlineData("100.64.0.0/10", "100.127.0.1", true)]
    [InlineData("0.0.0.0/0", "8.8.8.8", true)]
    [InlineData("fd00::/8", "fdff::1", true)]
    [InlineData("fd00::/8", "fe80::1", false)]
    [InlineData("::/0", "10.0.0.1", false)]
    [InlineData("203.0.113.7", "203.0.113.7", true)]
    public void A_range_knows_what_is_in_it(string range, string address, bool inside) =>
        Assert.Equal(inside, IpRange.Parse(range).Contains(IPAddress.Parse(address)));

    [Theory]
    [InlineData("10.0.0.1/8")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.1/16")]
    [InlineData("010.0.0.1")]
    [InlineData("0x0a000001")]
    [InlineData("fe80::1%eth0")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("")]
    public void What_is_no_clean_range_is_refused(string text) => Assert.False(IpRange.TryParse(text, out _));

    [Fact]
    public void Addresses_are_used_once_and_rest_after_they_were_freed()
    {
        var pool = new AddressPool(IpRange.Parse("10.9.0.0/29"), IpRange.Parse("fd09::/64"));
        Assert.Equal("10.9.0.1", pool.Gateway.V4.ToString());
        Assert.Equal(5, pool.Size);
        var first = Enumerable.Range(0, 5).Select(i => pool.Take($"s{i}")).ToList();
        Assert.Equal(5, first.Select(a => a.V4).Distinct().Count());
        Assert.Equal(5, first.Select(a => a.V6).Distinct().Count());
        Assert.DoesNotContain(pool.Gateway, first);
        Assert.Equal(first[2], pool.Take("s2"));
        Assert.Equal("addresses_exhausted", Assert.Throws<VivariumException>(() => pool.Take("s9")).Reason);
        pool.Free("s1");
        pool.Free("s3");
        pool.Free("s3");
        Assert.Equal(2, new[] { pool.Take("s10"), pool.Take("s11") }.Intersect([first[1], first[3]]).Count());
    }

    [Fact]
    public void A_held_address_is_never_given_to_another()
    {
        var pool = new AddressPool(IpRange.Parse("10.9.0.0/29"), null);
        var kept = new SandboxAddress(IPAddress.Parse("10.9.0.4"), null);
        Assert.True(pool.TryHold("old", kept));
        Assert.True(pool.TryHold("old", kept));
        Assert.False(pool.TryHold("other", kept));
        Assert.DoesNotContain(kept, Enumerable.Range(0, 4).Select(i => pool.Take($"s{i}")));
        Assert.Equal(kept, pool.Take("old"));
    }

    [Fact]
    public void The_hardware_address_is_made_of_the_address()
    {
        var address = new SandboxAddress(IPAddress.Parse("10.213.4.9"), null);
        Assert.Equal("02:76:0a:d5:04:09", address.MacText);
        Assert.Equal("fe80::76:aff:fed5:409", address.LinkLocal.ToString());
    }
}
