# The memory is known from the report of nixos-facter: 32 GiB are fitted, too little for one role's model.
{
  services.nixTrinity = {
    enable = true;
    roles.coder.model = "llama2:70b";
  };
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
