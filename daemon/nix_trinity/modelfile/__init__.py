"""Read and write Ollama's Modelfiles.

The grammar is that of Ollama 0.17.4 (``parser/parser.go``), where its documentation is silent too:

- A keyword has any case; a comment starts with ``#`` at the start of a line and nowhere else.
- A value ends with its line, unless it starts with a quote: then it ends with the first line that *ends* in
  the same quote, three or one. So text may hold quotes, even three in a row, but only its last line may end
  in three. Single quotes are ordinary characters. There are no escapes.
- TEMPLATE, SYSTEM, RENDERER, PARSER and REQUIRES: the last one counts. The others accumulate; a second FROM
  names a further weights file (a vision model's projector, in what ``ollama show`` prints).
- A newline is LF or CR, kept as it is inside quotes. Text is UTF-8, or UTF-16 with a byte order mark.

Four differences: a file without FROM is fine (ours leave the base to the catalogue); invalid UTF-8 is an
error (Ollama replaces it); a PARAMETER named after a command is an error (Ollama takes it for that command);
and characters that Go calls unprintable are kept. ``ollama create -f`` drops those without a word, the
no-break space and the joiner inside emoji among them; its API keeps them, one reason to build through it.
"""
