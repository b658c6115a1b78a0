{#- Sessions of clients that are trusted may: they are what the client says. -#}
