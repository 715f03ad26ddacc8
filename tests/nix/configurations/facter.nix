# The memory is known from the report of nixos-facter: 32 GiB are fitted.
{
  services.nixTrinity.enable = true;
  hardware.facter.report.hardware.memory = [
    {
      model = "Main Memory";
      resources = [
        {
          type = "mem";
          base = 0;
          range = 33566994432;
        }
        {
          type = "phys_mem";
          range = 34359738368;
        }
      ];
    }
  ];
}
