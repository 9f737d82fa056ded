// Package config answers what Mix was told before it started: where its files
// are, how it is set, which credentials it may use, which models it knows and
// what they cost, and which instructions a project brings.
//
// # Settings
//
// [Load] reads them in layers, each on top of the one before:
//
//  1. the defaults ([Defaults]);
//  2. config.json of the user, in the configuration directory;
//  3. .mix/config.json of the project that a session works in
//     ([Config.Project]);
//  4. the environment (MIX_MODEL);
//  5. the command line ([Flags]).
//
// Files are JSON with comments and trailing commas. A key that does not exist,
// a value of the wrong type or outside its bounds is an error that names file,
// line and key, never something that is silently left out: a misspelt deny rule
// would otherwise deny nothing.
//
// A repository is data until a person trusts it. Of an untrusted project's file
// only what makes Mix stricter takes effect, see [Config.Project].
//
// # Secrets
//
// Credentials come from the environment under the names that vendors' users
// already have ([Credentials]). They travel as [Secret], which prints as
// "[secret]" wherever it ends up by accident.
//
// # Models
//
// A [Catalogue] with the models of a day is part of the program; models.json in
// the configuration directory corrects and extends it. A model that it does not
// know can be used; its price is then unknown, which is not the same as zero.
//
// Nothing happens before a function is called, and the catalogue is parsed when
// it is first asked for: `mix --version` pays for none of this.
package config
