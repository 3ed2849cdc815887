# frozen_string_literal: true

# @summary The keys that lead to a service in the data: the service `child` in the tree of `parent` is `services`, `parent`, and so on.
#
# @api private
Puppet::Functions.create_function(:'runit::keys') do
  # @param names
  #   The service's name, after those of the services that it is in the tree of.
  #
  # @return [Array[String]]
  #   `services` and the name, for each.
  dispatch :keys do
    required_repeated_param 'Runit::Name', :names
    return_type 'Array[String]'
  end

  def keys(*names)
    names.flat_map { |name| ['services', name] }
  end
end
