# A person who only wants the programs.
{
  programs.nixTrinity.enable = true;
}
