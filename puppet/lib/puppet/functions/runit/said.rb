# frozen_string_literal: true

# @summary What the parameters of the class or define that calls it say, as the data have it: those that were given, by their keys.
#
# It reads them from the resource itself: a define has some fifty, of which few are given.
#
# @api private
Puppet::Functions.create_function(:'runit::said', Puppet::Functions::InternalFunction) do
  # @param but
  #   Parameters that are no keys of the data.
  #
  # @return [Hash[String, Any]]
  #   Values by key.
  dispatch :said do
    scope_param
    repeated_param 'String[1]', :but
    return_type 'Hash[String, Any]'
  end

  # Words that Puppet takes itself are parameters by another name.
  keys = { 'before_lines' => 'before', 'process_title' => 'title' }.freeze

  define_method(:said) do |scope, *but|
    parameters = scope.resource.resource_type.arguments.keys - but
    parameters.to_h { |name| [keys.fetch(name, name), scope.resource[name]] }.compact
  end
end
