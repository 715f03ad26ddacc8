# The assertions on an option that names a file with a secret, and so takes a string: a path would be copied into the
# store, which everyone can read.
{ lib }:
{
  option,
  file,
  example,
}:
[
  {
    assertion = !(lib.hasPrefix builtins.storeDir file);
    message = ''
      services.nixTrinity.${option} = "${file}" lies in the Nix store, which everyone on this machine can read.
      Keep the file outside the store and name it as a string, for example "${example}".'';
  }
  {
    assertion = lib.hasPrefix "/" file;
    message = ''
      services.nixTrinity.${option} = "${file}" is no absolute path.
      Write it from the root on, for example "${example}".'';
  }
]
